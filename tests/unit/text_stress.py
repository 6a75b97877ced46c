"""Written for this project: identifiers in unusual forms, and clinical words that must stay. Nobody here exists."""

from __future__ import annotations

# (text, what must not be left of it, what must stay)
STRESS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    # a record number whose zeros behind its letters look like a call abroad
    ("Hx of MS. (MRN: MS-00112233)", ["MS-", "00112233"], ["Hx of MS."]),
    ("Mr. O'Malley-Díaz was seen by Dr. van der Berg.", ("Malley", "Díaz", "Berg"), ("was seen by",)),
    ("PATIENT NAME: NGUYEN, THI MINH   MRN: 4471902", ("NGUYEN", "MINH", "4471902"), ("MRN",)),
    ("pt is john q. doe, lives alone", ("john", "doe"), ("lives alone",)),
    ("Spoke with daughter Siobhán Ní Bhraonáin by phone 617.555.0143 x22", ("Siobh", "Bhraon", "0143"), ("daughter", "by phone")),
    ("Referred by Oluwaseun Adebayo-Okonkwo, MD for dyspnea", ("Oluwaseun", "Okonkwo"), ("dyspnea",)),
    ("Electronically signed by: Krzysztof Wiśniewski MD 03/14/2021 14:05", ("Krzysztof", "niewski", "03/14", "14:05"), ()),
    ("His mother, Xochitl Ramírez, has type 2 diabetes.", ("Xochitl", "Ram"), ("type 2 diabetes", "mother")),
    ("Emergency contact: Fatima Al-Sayed (sister) +44 7700 900123", ("Fatima", "Sayed", "7700"), ("sister",)),
    ("Dr Smith reviewed the case; Smith agreed.", ("Smith",), ("reviewed the case",)),
    ("Mr. Graves has Graves disease and Parkinson disease.", ("Mr. Graves",), ("Graves disease", "Parkinson disease")),
    ("Grant Young presented with chest pain.", ("Grant", "Young"), ("chest pain",)),
    ("Mrs. White: white blood cells 12.3, red cells 4.5.", ("Mrs. White",), ("white blood cells 12.3", "red cells 4.5")),
    ("Address: 4410 North Maple Ave., Apt. 12B\nSpringfield, IL 62704\nPhone: (217) 555-0198", ("4410", "Maple", "12B", "Springfield", "62704", "0198"), ("Phone",)),
    ("Lives at 22 Old Mill Rd, Concord, MA 01742 with husband Tom.", ("22 Old", "Mill", "Concord", "01742", "Tom"), ("with husband",)),
    ("P.O. Box 881, Truth or Consequences, NM 87901", ("881", "87901", "Consequences"), ()),
    ("DOB: 7/4/52. Seen Tuesday, March 3rd, 2020 and on 4/12.", ("7/4", "March 3", "4/12"), ("Seen",)),
    ("Admitted 2020-03-01T08:15:00Z, discharged 12 Mar 2020.", ("03-01", "08:15", "12 Mar"), ("Admitted", "discharged")),
    ("The surgery was in May 2019; she may return in 2 weeks.", ("May 2019",), ("she may return in 2 weeks",)),
    ("A 94-year-old man and his 67 y/o son; wife died at age 91.", ("94", "91"), ("67 y/o",)),
    ("Patient aged 101, born in 1919.", ("101", "1919"), ("aged",)),
    ("SSN 078-05-1120; Medicare 1EG4-TE5-MK73; acct # 99-1234567", ("078-05", "1EG4", "MK73", "1234567"), ("SSN",)),
    ("Driver's license no. D1234-56789-01234, plate 7ABC123, VIN 1HGCM82633A004352", ("56789", "7ABC123", "1HGCM82633A004352"), ()),
    ("Pacemaker serial number PJN-883210 implanted", ("883210",), ("Pacemaker", "implanted")),
    ("Email: maria.lopez@hospital.example.org, portal https://my.example.org/u/99182?x=1 from 10.14.2.199", ("maria", "lopez", "99182", "10.14.2"), ("Email",)),
    ("Fax results to 312 555 0100. Pager 55-0921.", ("0100", "0921"), ("Fax results to",)),
    ("MRN#00912345; M.R.N. 00-91-23-45; chart no 889123", ("00912345", "91-23", "889123"), ()),
    ("Transferred from Riverfield Medical Center in Austin to St. Luke's.", ("Riverfield", "Austin", "Luke"), ("Transferred from",)),
    ("Works at Acme Widgets Inc as a welder.", ("Acme",), ("as a welder",)),
    ("Foley catheter placed; Apgar 8 and 9; BP 120/80, HR 72, SpO2 98%, temp 98.6 F.", (), ("Foley catheter", "Apgar 8 and 9", "120/80", "72", "98%", "98.6")),
    ("Hgb 13.2 g/dL, WBC 12,000, platelets 250000, creatinine 1.10 mg/dL, INR 2.3", (), ("13.2", "12,000", "250000", "1.10", "2.3")),
    ("Metoprolol 25 mg BID, Lasix 40 mg IV, heparin 5000 units SQ q8h, penicillin G 1200000 units", (), ("25 mg", "Lasix 40 mg", "5000 units", "1200000 units")),
    ("Strength 5/5 throughout, 2/6 systolic murmur, 10/10 pain, 3/4 reflexes, E11.65, CPT 99213, L4-L5, T12", (), ("5/5", "2/6", "10/10", "3/4", "E11.65", "99213", "L4-L5", "T12")),
    ("Started in 2015; colonoscopy 2018 was normal; 45-year-old woman.", (), ("2015", "2018", "45-year-old")),
    ("Babinski sign negative, Romberg negative, Kocher clamp, Hodgkin lymphoma, Bell's palsy, McBurney's point", (), ("Babinski sign", "Romberg", "Kocher clamp", "Hodgkin lymphoma", "Bell's palsy", "McBurney's point")),
    ("HISTORY OF PRESENT ILLNESS: The patient denies fever. ASSESSMENT AND PLAN: Continue Lipitor.", (), ("HISTORY OF PRESENT ILLNESS", "ASSESSMENT AND PLAN", "Lipitor")),
    ("COVID-19 positive, HbA1c 7.1%, BRCA2 negative, CA-125 35 U/mL, vitamin B12 400", (), ("COVID-19", "HbA1c 7.1%", "BRCA2", "CA-125 35", "B12 400")),
)  # fmt: skip

# What the record knows, and texts that hold it in variants: (known, text, must not be left, must stay)
_GENERATED = {"names": ["Marine542 Ai120 Larue605"]}
KNOWN: tuple[tuple[dict[str, list[str]], str, tuple[str, ...], tuple[str, ...]], ...] = (
    ({"names": ["Will May"]}, "Seen today: Will. May drove home; he will come if it may recur.", ("Will", "May"), ("will come", "may recur")),
    (_GENERATED, "Marine542 Ai120\n is a 40 year-old; marine542 called", ("Marine542", "Ai120", "marine542"), ("40 year-old", "called")),
    ({"names": ["An Le"]}, "A man named An Le. Mr. Le An was seen. An is fine; an MRI was done.", ("An Le", "Le An"), ("an MRI",)),
    ({"names": ["Rose Gray"]}, "Signed R. Gray; Gray, R. was told. Gray matter normal.", ("R. Gray", "Gray, R."), ("Gray matter",)),
    ({"names": ["Robert Long"]}, "Bob Long came in. Robbie is well; R.L. agrees. Pain for a long time.", ("Bob", "Long came", "Robbie", "R.L."), ("a long time",)),
    ({"names": ["Marguerite Saint-Exupery"]}, "SAINT EXUPERY, MARGUERITE. Ms. Saintexupery; Margurite's cough", ("EXUPERY", "MARGUERITE", "Saintexupery", "Margurite"), ("cough",)),
    ({"names": ["José Núñez"]}, "jose nunez called; José’s mother too", ("jose", "nunez", "José"), ("called", "mother")),
    ({"names": ["Rosa de la Cruz"]}, "RE: ROSA DE LA CRUZ; de la Cruz, Rosa. A list de la ward", ("DE LA", "CRUZ", "de la Cruz"), ("RE:", "list de la ward")),
    ({"names": ["Kowalczyk, Agnieszka"]}, "Kowalcyzk agnieszka (Kowalczyk) here", ("Kowalcyzk", "agnieszka", "Kowalczyk"), ("here",)),
    ({"identifiers": ["0042-9911"]}, "ref 00429911 and 0042 9911 and 42-9911", ("00429911", "0042 9911", "42-9911"), ("ref",)),
    ({"identifiers": ["+1 617-555-0142"]}, "call 617.555.0142 or (617)5550142", ("0142",), ("call",)),
    ({"addresses": ["17 Harbour Street", "Little Compton"]}, "house at 17 harbour st in little compton", ("harbour", "compton"), ("house at",)),
    ({"dates": ["1961-03-14"]}, "birthday 3/14 and 14/3; ratio 3/15", ("3/14", "14/3"), ("3/15",)),
    ({"names": ["White"]}, "White blood cells 9; Ms White left.", ("Ms White",), ("White blood cells 9",)),
)  # fmt: skip
