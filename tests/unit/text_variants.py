"""Written for this project, apart from the rules: notes in many habits of writing, every identifier marked as [[CLASS|text]].

Nobody here exists. What is not marked must stay.
"""

from __future__ import annotations

import re

Gold = tuple[int, int, str]
_MARK = re.compile(r"\[\[([A-Z_]+)\|(.*?)\]\]", re.DOTALL)


def unmark(marked: str) -> tuple[str, list[Gold]]:
    """A marked note as its text and spans."""
    text, gold, place = [], [], 0
    for found in _MARK.finditer(marked):
        text.append(marked[place : found.start()])
        start = sum(map(len, text))
        text.append(found[2])
        gold.append((start, start + len(found[2]), found[1]))
        place = found.end()
    return "".join([*text, marked[place:]]), gold


VARIANTS = (
    # names in titles, initials, hyphens, particles, nicknames, cases
    "Pt. [[NAME|Smith]] was seen today for follow-up of hypertension.",
    "Pt [[NAME|Hargrove]] c/o chest pain x 3 days, worse on exertion.",
    "pt. [[NAME|smith]] denies sob. [[NAME|smith]] to return if fever.",
    "Patient: [[NAME|O'BRIEN, SHANNON K.]]  Sex: F  Room air sat 97%",
    "[[NAME|McDonald, Eileen]] is a 63 y.o. female with COPD, GOLD stage III.",
    "[[NAME|Maria de la Cruz]] presents with dysuria; urinalysis positive for nitrites.",
    "[[NAME|Mr de Souza-Lima]] tolerated the procedure well.",
    "seen with [[NAME|Dr. J. R. Whitcombe]] in clinic, plan as above.",
    "Discussed with [[NAME|Drs. Patel]] and [[NAME|Okafor]], who agree with anticoagulation.",
    "Attending: [[NAME|L. Fitzgerald-Moore]], M.D.",
    "Dictated by [[NAME|T.J. Abernathy]], PA-C",
    "Her husband [[NAME|Bill]] and daughters [[NAME|Peggy]] and [[NAME|Trish]] were at bedside.",
    "[[NAME|JOHNSON, TYRONE]] presented to the ED with syncope.",
    "PATIENT NAME: [[NAME|DELGADO-RUIZ, ANA MARIA]]\nALLERGIES: PENICILLIN\nCHIEF COMPLAINT: KNEE PAIN",
    "this is [[NAME|kathleen brennan]], a 71 yo woman w/ afib on warfarin",
    "consult requested by [[NAME|dr. van houten]] for elevated troponin",
    "Spoke to pt's wife ([[NAME|Lakshmi]]) re: goals of care.",
    "[[NAME|Ms. Nguyen-Tran]]'s A1c has improved to 6.9%.",
    "Baby boy [[NAME|Kowalski]] born at 38w2d, Apgars 8/9.",
    "Baby Girl [[NAME|Adeyemi]] is feeding well, weight 3.2 kg.",
    "Thank you for referring [[NAME|Mrs. Henrietta Blackwood]] to our practice.",
    "Dear [[NAME|Dr. Castellano]],\nI had the pleasure of seeing your patient for epistaxis.",
    "Sincerely,\n[[NAME|Rebecca L. Stone]], MD",
    "cc: [[NAME|Anthony Russo]], DO; [[NAME|Priya Raman]], NP",
    "RN [[NAME|Jessica Tan]] notified of critical potassium 6.4.",
    "Interpreter [[NAME|Guadalupe]] present via video.",
    "Signed electronically: [[NAME|S. Bhattacharya]]",
    "Home health aide [[NAME|Desmond]] reports patient ate breakfast.",
    "Surgeon: [[NAME|Roland K. Mbeki]]   Anesthesia: [[NAME|Y. Cho]]",
    "Emergency contact: [[NAME|Jean-Luc Arsenault]] (son), [[PHONE|(514) 555-0137]]",
    "[[NAME|Mr. Long]] has had back pain for a long time.",
    "[[NAME|Mrs. Brown]] noted brown sputum.",
    "[[NAME|Sgt. Alvarez]] of the police department brought the patient in.",
    "[[NAME|Pastor Williams]] visited; code status was discussed.",
    "The patient, [[NAME|Grace Hope Young]], is resting comfortably.",
    "PMD [[NAME|Feldman]] aware. Cardiology ([[NAME|Singh]]) to follow.",
    "Per [[NAME|Dr. Quan]]'s note, the ejection fraction was 35%.",
    "[[NAME|Ole Gunnar Bjørnstad]] — 44M, type 1 DM.",
    "Social worker [[NAME|Tamika Rhodes-Bell]] met with family.",
    # phones, faxes, mail, net
    "Call [[PHONE|617-555-0188 ext. 4421]] with questions, fax [[FAX|617.555.0190]].",
    "Cell [[PHONE|(415)555-0123]], work [[PHONE|1-415-555-0177 x 12]], pager [[PHONE|415 555 0166]].",
    "International contact: [[PHONE|+44 20 7946 0958]], or [[PHONE|+1 (212) 555-0112]].",
    "Contact son at [[PHONE|011 52 55 5123 4567]].",
    "ph: [[PHONE|6175550143]]",
    "Email [[EMAIL|j.smith99@mail.example.com]] or [[EMAIL|OBRIEN_K@example.org]].",
    "Portal: [[URL|https://portal.example.org/patients/44821?tab=labs]], last login from [[IP|192.168.14.22]].",
    "See [[URL|www.example-hospital.org/team/whitcombe]] for instructions.",
    "IPv6 [[IP|2001:db8:85a3::8a2e:370:7334]] logged.",
    # numbers
    "MRN: [[MRN|0048213]]  Acct: [[ACCOUNT|V00817264553]]  DOB: [[DATE|03/11/1957]]",
    "MR# [[MRN|88-21-904]], visit no. [[ACCOUNT|4471290]]",
    "Medical record number [[MRN|A1029384]] was verified.",
    "SSN [[SSN|219 09 9999]]; last four [[SSN|9999]].",
    "SS# [[SSN|219-09-9999]]",
    "Social security number is [[SSN|219099999]].",
    "Medicare ID [[HEALTH_PLAN|1EG4-TE5-MK72]], Medicaid [[HEALTH_PLAN|MD88213467]].",
    "Member ID: [[HEALTH_PLAN|XQJ882190442]] Group: [[HEALTH_PLAN|GRP-00412]]",
    "Policy [[HEALTH_PLAN|BC-4417723]] effective this year.",
    "Driver license [[LICENSE|S514-7723-8891]] on file; DEA [[LICENSE|BW1234563]], NPI [[LICENSE|1234567893]].",
    "License plate [[VEHICLE|8XKJ421]], VIN [[VEHICLE|1FTFW1ET5DFC10312]].",
    "Pacemaker serial [[DEVICE|SN-77120934]], generator model unchanged.",
    "ICD lead s/n [[DEVICE|LFJ221904V]], implanted left chest.",
    "Hip prosthesis lot [[DEVICE|L2298-A71]], size 54 mm.",
    "Accession [[ID|S-21-004417]], specimen [[ID|22:CH00127R]]",
    "Order ID [[ID|7781203]] was cancelled.",
    "Credit card [[ACCOUNT|4111 1111 1111 1111]] on file.",
    "Account ending [[ACCOUNT|4432]] was billed.",
    # addresses
    "Lives at [[LOCATION|1428 Elm Street, Apt 3B, Springwood, OH 44903]].",
    "Mail to [[LOCATION|PO Box 2219, Bozeman, MT 59715]].",
    "Address: [[LOCATION|77 W. Wacker Dr., Unit 1504, Chicago, IL 60601-1234]]",
    "Resides at [[LOCATION|9 Rue des Lilas]] with his mother.",
    "[[LOCATION|2200 Hwy 61 N Lot 14]] is her current residence.",
    "She moved from [[LOCATION|Duluth]] to [[LOCATION|Baton Rouge]] last year.",
    "He lives in zip code [[LOCATION|48109]].",
    "Transferred from [[LOCATION|St. Barnabas Hospital]] to [[LOCATION|Lakeshore Rehabilitation Center]].",
    "Previously followed at [[LOCATION|Mount Auburn Hospital]] and [[LOCATION|UCSF]].",
    "Works for [[ORGANIZATION|Boeing]] as a machinist.",
    "She attends [[LOCATION|Lincoln High School]] in [[LOCATION|Tacoma]].",
    "Admitted from [[LOCATION|Golden Pines Nursing Home]] with sepsis.",
    # dates
    "Seen [[DATE|3/4/21]]; next visit [[DATE|04-18-2021]].",
    "Surgery on [[DATE|14 Feb 2019]], stent [[DATE|Feb. 2, 2020]].",
    "Labs [[DATE|2020-11-03]] and [[DATE|2020/11/10]] reviewed.",
    "Admit date [[DATE|20210315]], discharge [[DATE|March 19th]].",
    "LMP [[DATE|7/2]], EDC [[DATE|April 8, 2022]].",
    "Since [[DATE|Jan '18]] he has had three falls.",
    "He fell on [[DATE|Tuesday, 12 October 2021]] at home.",
    "Date of service: [[DATE|15-Mar-2021]]",
    "Echo ([[DATE|6/17/2020]]): EF 55%.",
    "From [[DATE|05/01/2021]] to [[DATE|05/07/2021]] he was inpatient.",
    "Transcribed [[DATE|12.03.2021 14:22]]",
    "Vaccinated on [[DATE|the 3rd of June 2021]].",
    "Christmas is not a date of care, but [[DATE|December 25]] is.",
    "T: [[DATE|01/02/2020 08:15:33]]  D: [[DATE|01/02/2020 07:55]]",
    # ages
    "[[AGE|93]]-year-old woman with dementia, lives with her 66-year-old daughter.",
    "A [[AGE|101]] yo male, remarkably well.",
    "Mother died at [[AGE|92]], father at 71 of MI.",
    "He is [[AGE|ninety-four years old]].",
    "Age: [[AGE|97]]",
)

# Nothing here names anybody: every word stays.
KEPT = (
    "Parkinson disease, stage 3 by Hoehn and Yahr; on Sinemet 25/100 TID.",
    "Foley catheter in place. Jackson-Pratt drain output 40 mL. Penrose drain removed.",
    "Babinski absent, Hoffmann negative, Romberg positive, Spurling negative, Lhermitte negative.",
    "Hodgkin lymphoma, stage IIB; non-Hodgkin lymphoma excluded. Reed-Sternberg cells seen.",
    "Crohn's disease, Barrett's esophagus, Hashimoto thyroiditis, Graves' disease, Addison's crisis.",
    "Wilson disease, Marfan syndrome, Ehlers-Danlos, Turner syndrome, Down syndrome, Klinefelter.",
    "Murphy's sign negative; McBurney's point nontender; Rovsing, Kernig and Brudzinski negative.",
    "Glasgow coma scale 15. Mallampati II. Wells score 1.5. Ranson criteria 2. Child-Pugh B, MELD 14.",
    "Colles fracture, Bankart lesion, Hill-Sachs deformity, Lisfranc injury, Salter-Harris II.",
    "Swan-Ganz catheter, Hickman line, Kelly clamp, Bovie cautery, Kirschner wire, Steri-Strips.",
    "Billroth II, Roux-en-Y, Whipple, Nissen fundoplication, Hartmann procedure, Heller myotomy.",
    "Cushing response, Cheyne-Stokes respirations, Kussmaul breathing, Kaposi sarcoma, Ewing sarcoma.",
    "Gram stain, Wright stain, Coombs test, Schilling test, Ziehl-Neelsen, Papanicolaou smear.",
    "Escherichia coli, Klebsiella, Staphylococcus aureus, Candida albicans, Borrelia burgdorferi.",
    "Tylenol 650 mg q6h prn, Lasix 40 mg IV, Zosyn 3.375 g, Lovenox 40 mg SQ, Ativan 1 mg, Zofran 4 mg.",
    "BP 132/84, HR 88, RR 18, T 37.2, SpO2 96% on 2 L; weight 81.6 kg, height 175 cm, BMI 26.6.",
    "Na 138, K 4.1, Cl 102, HCO3 24, BUN 18, Cr 0.9, glucose 104, Ca 9.1, WBC 8,400, Hgb 13.1, Plt 212,000.",
    "ICD-10 E11.65, CPT 99214, LOINC 4548-4, NDC 00093-1048-01, SNOMED 44054006.",
    "A 67-year-old man and a 4 month old girl; gravida 3 para 2; 38 weeks.",
    "L4-L5 disc herniation, C5-6 stenosis, T12 fracture, S1 radiculopathy, 5/5 strength, 2+ reflexes.",
    "In 2015 he had a CABG x3; a colonoscopy in 2018 was normal.",
    "ASSESSMENT AND PLAN: 1. CHF exacerbation, diurese. 2. CKD stage 3, avoid NSAIDs. 3. DVT prophylaxis.",
    "Follow up in 2 weeks with Cardiology, Nephrology and Physical Therapy.",
    "Fall risk: Morse scale 45. Braden 18. Norton plus. PHQ-9 12, GAD-7 9, MoCA 24/30.",
    "May resume diet. Will follow. Mark the site. Dawn phenomenon. Rose Bengal stain. Iris normal.",
    "Patient is white, appears stated age, in no acute distress. English is the primary language.",
    "Doppler of the carotids, Holter monitor, Bruce protocol, Framingham risk 12%, Agatston 210.",
    "Ringer's lactate 1 L bolus, Dakin's solution, Bactrim DS, Penicillin VK, Z-Pak, Medrol Dosepak.",
    "Epworth 11/24, STOP-BANG 5, Karnofsky 80, ECOG 1, Gleason 3+4, Breslow 0.8 mm, Clark level III.",
    "Homans sign, Tinel, Phalen, Finkelstein, Lachman, McMurray, Hawkins, Neer and Apley tests negative.",
)
