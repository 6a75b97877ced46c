"""The codes the sample speaks: FHIR code systems, illnesses, findings, medicines, vaccines, procedures."""

from dataclasses import dataclass

ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CVX = "http://hl7.org/fhir/sid/cvx"
UCUM = "http://unitsofmeasure.org"
SSN = "http://hl7.org/fhir/sid/us-ssn"
OMB = "urn:oid:2.16.840.1.113883.6.238"
NULL_FLAVOR = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
NORTH_MRN = "http://north.example.org/mrn"
SOUTH_MRN = "http://south.example.org/mrn"
PAYER_TYPES = "https://nahdo.org/sopt"


@dataclass(frozen=True, slots=True)
class Illness:
    """An illness under both code systems, and whom it can befall (ages in whole years, inclusive)."""

    key: str
    icd10: str
    snomed: str
    display: str
    from_age: int = 0
    to_age: int = 120
    women_only: bool = False
    medicine: str = ""


CHRONIC = (
    Illness("diabetes_2", "E11.9", "44054006", "Type 2 diabetes mellitus without complications", 18, medicine="861007"),
    Illness("diabetes_1", "E10.9", "46635009", "Type 1 diabetes mellitus without complications", 3, medicine="106892"),
    Illness("hypertension", "I10", "59621000", "Essential (primary) hypertension", 18, medicine="314076"),
    Illness("hyperlipidemia", "E78.5", "55822004", "Hyperlipidemia, unspecified", 20, medicine="617310"),
    Illness("asthma", "J45.909", "195967001", "Unspecified asthma, uncomplicated", 3, medicine="745752"),
    Illness("copd", "J44.9", "13645005", "Chronic obstructive pulmonary disease, unspecified", 45, medicine="745752"),
    Illness("kidney", "N18.30", "433144002", "Chronic kidney disease, stage 3 unspecified", 40),
    Illness("heart_failure", "I50.9", "42343007", "Heart failure, unspecified", 50),
    Illness("depression", "F32.A", "35489007", "Depression, unspecified", 14, medicine="312941"),
    Illness("obesity", "E66.9", "414916001", "Obesity, unspecified", 6),
    Illness("parkinson", "G20.A1", "49049000", "Parkinson's disease without dyskinesia", 55),
    Illness("arthritis", "M19.90", "396275006", "Unspecified osteoarthritis, unspecified site", 40, medicine="849574"),
)
CHRONIC_AT = {illness.key: place for place, illness in enumerate(CHRONIC)}

ACUTE = (
    Illness("cold", "J06.9", "54150009", "Acute upper respiratory infection, unspecified"),
    Illness("otitis", "H66.90", "65363002", "Otitis media, unspecified, unspecified ear", 0, 12, medicine="308192"),
    Illness("bronchitis", "J20.9", "10509002", "Acute bronchitis, unspecified", 2),
    Illness("gastroenteritis", "A09", "25374005", "Infectious gastroenteritis and colitis, unspecified"),
    Illness("back_pain", "M54.50", "279039007", "Low back pain, unspecified", 16, medicine="849574"),
    Illness("urinary", "N39.0", "68566005", "Urinary tract infection, site not specified", 1, medicine="308192"),
    Illness("sprain", "S93.409A", "44465007", "Sprain of unspecified ligament of unspecified ankle", 5, 80),
    Illness("laceration", "S61.419A", "283371005", "Laceration without foreign body of unspecified hand", 1),
    Illness("chest_pain", "R07.9", "29857009", "Chest pain, unspecified", 25),
    Illness("pneumonia", "J18.9", "233604007", "Pneumonia, unspecified organism", 1, medicine="308192"),
    Illness("appendicitis", "K35.80", "85189001", "Unspecified acute appendicitis", 5, 70),
    Illness(
        "pregnancy", "Z34.90", "72892002", "Encounter for supervision of normal pregnancy", 17, 44, women_only=True
    ),
    Illness("checkup", "Z00.00", "185349003", "Encounter for general adult medical examination", 18),
    Illness("child_checkup", "Z00.129", "410620009", "Encounter for routine child health examination", 0, 17),
)
ACUTE_AT = {illness.key: place for place, illness in enumerate(ACUTE)}


@dataclass(frozen=True, slots=True)
class Finding:
    """A kind of observation: its LOINC code, unit and category."""

    loinc: str
    display: str
    unit: str
    category: str
    digits: int = 1


FINDINGS = {
    "hba1c": Finding("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", "laboratory"),
    "glucose": Finding("2345-7", "Glucose [Mass/volume] in Serum or Plasma", "mg/dL", "laboratory", 0),
    "creatinine": Finding("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL", "laboratory", 2),
    "ldl": Finding(
        "13457-7", "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation", "mg/dL", "laboratory", 0
    ),
    "hemoglobin": Finding("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", "laboratory"),
    "systolic": Finding("8480-6", "Systolic blood pressure", "mm[Hg]", "vital-signs", 0),
    "diastolic": Finding("8462-4", "Diastolic blood pressure", "mm[Hg]", "vital-signs", 0),
    "height": Finding("8302-2", "Body height", "cm", "vital-signs"),
    "weight": Finding("29463-7", "Body weight", "kg", "vital-signs"),
    "bmi": Finding("39156-5", "Body mass index (BMI) [Ratio]", "kg/m2", "vital-signs"),
    "heart_rate": Finding("8867-4", "Heart rate", "/min", "vital-signs", 0),
    "temperature": Finding("8310-5", "Body temperature", "Cel", "vital-signs"),
}
# What the wards' results are called and measured in, by LOINC code.
LOINC_RESULTS = {
    finding.loinc: (finding.display.partition(" [")[0], finding.unit)
    for finding in (FINDINGS["creatinine"], FINDINGS["hemoglobin"], FINDINGS["heart_rate"])
}
UNMEASURED = ("2160-0", "718-7", "8302-2")  # no measure rests on them, so later nights may correct and delete them
BLOOD_PRESSURE = ("85354-9", "Blood pressure panel with all children optional")
LAB_PANEL = ("51990-0", "Basic metabolic panel - Blood")

SCREENING_PANEL = ("96777-8", "Accountable health communities (AHC) health-related social needs screening tool")
SCREENING = (
    # question, its text, (answer without need, text), (answer with need, text), Z code of the need
    (
        "71802-3",
        "Housing status",
        ("LA31993-1", "I have a steady place to live"),
        ("LA31995-6", "I do not have a steady place to live"),
        "Z59.01",
    ),
    (
        "88122-7",
        "Worried whether food would run out in the past 12 months",
        ("LA28398-8", "Never true"),
        ("LA6729-3", "Sometimes true"),
        "Z59.41",
    ),
    (
        "93030-5",
        "Has lack of transportation kept you from appointments, work or daily needs",
        ("LA32-8", "No"),
        ("LA33-6", "Yes"),
        "Z59.82",
    ),
)

MEDICINES = {
    "861007": "metformin hydrochloride 500 MG Oral Tablet",
    "106892": "insulin isophane, human 70 UNT/ML / insulin, regular, human 30 UNT/ML Injectable Suspension",
    "314076": "lisinopril 10 MG Oral Tablet",
    "617310": "atorvastatin 20 MG Oral Tablet",
    "745752": "200 ACTUAT albuterol 0.09 MG/ACTUAT Metered Dose Inhaler",
    "312941": "sertraline 50 MG Oral Tablet",
    "849574": "naproxen sodium 220 MG Oral Tablet",
    "308192": "amoxicillin 500 MG Oral Tablet",
}

INFLUENZA = (
    ("150", "Influenza, injectable, quadrivalent, preservative free"),
    ("158", "influenza, injectable, quadrivalent"),
    ("185", "Influenza, recombinant, quadrivalent"),
)
OTHER_VACCINES = {
    "08": "Hep B, adolescent or pediatric",
    "10": "IPV",
    "20": "DTaP",
    "03": "MMR",
    "21": "varicella",
    "133": "Pneumococcal conjugate PCV 13",
    "115": "Tdap",
    "33": "pneumococcal polysaccharide PPV23",
    "208": "COVID-19, mRNA, LNP-S, PF, 30 mcg/0.3 mL dose",
}
CHILDHOOD_SERIES = (  # cvx, age in days
    ("08", 1),
    ("08", 35),
    ("20", 61),
    ("10", 61),
    ("133", 61),
    ("20", 122),
    ("10", 122),
    ("133", 122),
    ("20", 183),
    ("08", 190),
    ("133", 183),
    ("03", 370),
    ("21", 370),
    ("20", 480),
    ("10", 1470),
    ("03", 1475),
)

PROCEDURES = (
    # key, SNOMED code, display, ages, women only
    ("ecg", "29303009", "Electrocardiographic procedure"),
    ("chest_xray", "399208008", "Plain X-ray of chest"),
    ("colonoscopy", "73761001", "Colonoscopy"),
    ("mammography", "71651007", "Mammography"),
    ("suture", "288086009", "Suture open wound"),
    ("appendectomy", "80146002", "Appendectomy"),
    ("reconciliation", "430193006", "Medication reconciliation"),
)
PROCEDURE_AT = {key: place for place, (key, _, _) in enumerate(PROCEDURES)}

ALLERGIES = (
    ("91936005", "Allergy to penicillin", "medication"),
    ("91935009", "Allergy to peanut", "food"),
    ("419263009", "Allergy to tree pollen", "environment"),
    ("716186003", "No known allergy", ""),
)

RACES = (  # OMB 2024: one question, several answers; FHIR asks Hispanic or Latino apart
    ("1002-5", "American Indian or Alaska Native"),
    ("2028-9", "Asian"),
    ("2054-5", "Black or African American"),
    ("2135-2", "Hispanic or Latino"),
    ("2118-8", "Middle Eastern or North African"),
    ("2076-8", "Native Hawaiian or Pacific Islander"),
    ("2106-3", "White"),
)
RACE_AT = {"aian": 0, "asian": 1, "black": 2, "hispanic": 3, "mena": 4, "nhpi": 5, "white": 6}
LANGUAGES = (
    ("en", "English", "ENG"),
    ("es", "Spanish", "SPA"),
    ("zh", "Chinese", "CHI"),
    ("vi", "Vietnamese", "VIE"),
    ("ar", "Arabic", "ARA"),
    ("ht", "Haitian Creole", "HAT"),
)
PAYERS = (
    ("5", "Private Health Insurance", "commercial"),
    ("2", "Medicaid", "medicaid"),
    ("1", "Medicare", "medicare"),
    ("81", "Self-pay", "self-pay"),
)
ENCOUNTER_CLASSES = (("AMB", "ambulatory"), ("EMER", "emergency"), ("IMP", "inpatient encounter"))
