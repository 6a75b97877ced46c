"""Closed sets of words that say what stands beside them: titles, months, streets, facilities, cues."""

from __future__ import annotations

from include.privacy.text import spans


def words(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


_TITLE, _CREDENTIAL, _PARTICLE, _STREET, _FACILITY, _STATE, _CUE, _COMPANY = (
    4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288,
)  # fmt: skip
_MONTH, _WEEKDAY, _RELATION, _COUNTRY = 1024, 2048, 1048576, 2097152
ROLE_BITS = (
    _TITLE
    | _CREDENTIAL
    | _PARTICLE
    | _STREET
    | _FACILITY
    | _STATE
    | _CUE
    | _COMPANY
    | _MONTH
    | _WEEKDAY
    | _RELATION
    | _COUNTRY
)

MONTHS = {
    name: number
    for number, names in enumerate(
        ("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
         "september sept sep", "october oct", "november nov", "december dec"), 1)
    for name in names.split()
}  # fmt: skip
# Alone, these are also words or names.
AMBIGUOUS_MONTHS = words("march mar may april apr june jun jan august aug sep dec nov oct jul feb sept")
WEEKDAYS = words("monday tuesday wednesday thursday friday saturday sunday")
TITLES = words(
    "dr drs doctor mr mrs messrs ms miss mister mx prof professor rev reverend sr sra srta fr father pastor rabbi sister nurse judge sgt capt lt col dra"
)
CREDENTIALS = words(
    "md do rn np pa phd lpn cnm crna pharmd dds dmd dpm lcsw msw pt ot bsn msn aprn facs mbbs jr iii pac fnp dnp od dc mph"
)
PARTICLES = words(
    "de del des la las los da das do dos di du van von der den ter ten bin ibn al el abu le st mac mc della dello y e af av zu"
)
STREETS = words(
    "street st avenue ave av boulevard blvd road rd drive dr lane ln court ct place pl terrace ter circle cir way parkway pkwy highway hwy square sq "
    "trail trl loop alley plaza pike route rte crescent cres close row run path crossing xing expressway freeway turnpike mews walk rue strasse straße via calle "
    "avenida rua ulica viale piazza camino paseo"
)
FACILITIES = words(
    "hospital hospitals hosp clinic clinics infirmary hospice sanatorium sanitarium center centre medical med health healthcare "
    "university college school institute pharmacy rehab rehabilitation nursing manor church general memorial "
    "practice medicine laboratory laboratories labs prison jail shelter dialysis oncology orthopedics orthopaedics pediatrics cardiology"
)
COMPANIES = words(
    "inc incorporated llc ltd corp corporation company co group gmbh plc holdings industries associates partners bank enterprises"
)
RELATIONS = words(
    "wife husband spouse mother father mom dad son daughter brother sister aunt uncle niece nephew cousin grandmother grandfather grandson "
    "granddaughter partner fiance fiancee fiancé fiancée girlfriend boyfriend friend neighbor neighbour caregiver guardian roommate stepfather stepmother "
    "stepdad stepmom stepson stepdaughter stepbrother stepsister dtr grandma grandpa nanny babysitter"
)
CUES = words(
    "patient name named called signed dictated attending physician provider surgeon pcp cc referred referring seen by with pt client resident contact "
    "transcribed reviewed consultant author accompanied"
)
STATE_NAMES = words(
    "alabama alaska arizona arkansas california colorado connecticut delaware florida georgia hawaii idaho illinois indiana iowa kansas kentucky "
    "louisiana maine maryland massachusetts michigan minnesota mississippi missouri montana nebraska nevada ohio oklahoma oregon pennsylvania "
    "tennessee texas utah vermont virginia washington wisconsin wyoming"
)
STATE_CODES = words(
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY PR VI GU "
    "ON QC BC AB MB SK NS NB NL NSW VIC QLD TAS"
)
COUNTRIES = words(
    "afghanistan albania algeria angola argentina armenia australia austria azerbaijan bahamas bahrain bangladesh barbados belarus belgium belize benin bolivia bosnia botswana "
    "brazil bulgaria cambodia cameroon canada chile china colombia congo croatia cuba cyprus czechia denmark ecuador egypt eritrea estonia ethiopia fiji finland "
    "france gambia germany ghana greece greenland grenada guatemala guinea guyana haiti honduras hungary iceland india indonesia iran iraq ireland israel italy jamaica japan kazakhstan "
    "kenya korea kosovo kuwait laos latvia lebanon liberia libya lithuania luxembourg macedonia madagascar malawi malaysia mali malta mauritius mexico moldova monaco mongolia "
    "montenegro morocco mozambique myanmar namibia nepal netherlands nicaragua niger nigeria norway oman pakistan palestine panama paraguay peru philippines poland portugal qatar "
    "romania russia rwanda samoa senegal serbia singapore slovakia slovenia somalia spain sudan suriname sweden switzerland syria taiwan tajikistan tanzania thailand togo "
    "tonga trinidad tobago tunisia turkey turkmenistan uganda ukraine uruguay uzbekistan venezuela vietnam yemen zambia zimbabwe usa america europe asia africa england scotland wales"
)
PLACE_NICKNAMES = frozenset(
    ["NYC", "LA", "SF", "San Fran", "Philly", "Vegas", "NOLA", "Chi-Town", "Brooklyn", "Manhattan", "Queens", "Bronx", "Staten Island", "Harlem", "Hollywood", "Westchester", "Long Island",
     "Bay Area", "Silicon Valley", "St Louis", "St Paul", "Saint Louis", "Saint Paul", "Fort Worth", "Ft Worth", "Mt Vernon", "Frisco", "ATL", "DFW", "SoCal", "NorCal", "DC"]
)  # fmt: skip
# Hospitals and health systems that are called without the word "hospital".
KNOWN_FACILITIES = (
    "Johns Hopkins", "John Hopkins", "Mayo Clinic", "Mayo", "Cleveland Clinic", "Mass General", "Massachusetts General", "MGH", "BWH", "BIDMC", "Brigham", "Brigham and Women's", "Beth Israel",
    "Mount Sinai", "Mt. Sinai", "Mt Sinai", "Cedars-Sinai", "Cedars Sinai", "Cedar Sinai", "UCLA", "UCSF", "UCSD", "UCI", "USC", "NYU", "NYU Langone", "Langone", "Columbia", "Cornell", "Weill Cornell", "Kaiser",
    "Kaiser Permanente", "Stanford", "Duke", "Emory", "Vanderbilt", "Baylor", "MD Anderson", "Sloan Kettering", "Memorial Sloan Kettering", "MSK", "MSKCC", "Dana-Farber", "Dana Farber", "Cook Children's", "Seattle Children's", "Boston Children's", "Texas Children's", "Nationwide Children's", "Lurie Children's", "Rady Children's", "Phoenix Children's", "Dayton Children's", "Cincinnati Children's", "Brigham & Women's", "UPMC", "UPenn", "Penn", "Penn Medicine", "CHOP",
    "CHLA", "Northwestern", "Rush", "Yale", "Yale-New Haven", "Geisinger", "Intermountain", "Sutter", "Scripps", "Sharp", "Cedar Crest", "Mercy", "Ascension", "Providence",
    "Montefiore", "Maimonides", "Jefferson", "Temple", "Tufts", "Lahey", "Ochsner", "Henry Ford", "Beaumont", "Barnes-Jewish", "Barnes Jewish", "Parkland", "Houston Methodist", "Methodist", "UTMB", "UTSW",
    "UT Southwestern", "UAB", "UVA", "UNC", "OHSU", "UW", "UCHealth", "Banner", "Sentara", "Novant", "Atrium", "HCA", "Bellevue", "Lenox Hill", "Northwell", "Presbyterian", "NewYork-Presbyterian", "New York Presbyterian", "Hopkins",
    "Walter Reed", "Moffitt", "Fred Hutch", "City of Hope", "St Jude", "Riley", "Nationwide Children's", "Boston Children's", "Texas Children's", "Shriners",
)  # fmt: skip

ROLES: dict[str, int] = {}
for _words, _bit in (
    (TITLES, _TITLE), (CREDENTIALS, _CREDENTIAL), (PARTICLES, _PARTICLE), (STREETS, _STREET), (FACILITIES, _FACILITY), (STATE_NAMES, _STATE),
    (CUES, _CUE), (COMPANIES, _COMPANY), (MONTHS, _MONTH), (WEEKDAYS, _WEEKDAY), (RELATIONS, _RELATION), (COUNTRIES, _COUNTRY),
):  # fmt: skip
    for _word in _words:
        ROLES[_word] = ROLES.get(_word, 0) | _bit

# Nouns that turn a name into a term: Parkinson's disease, Foley catheter, Smith fracture.
EPONYM_NOUNS = words(
    "disease diseases syndrome syndromes sign signs test tests testing catheter catheters catheterization drain drains drainage stitch suture sutures procedure repair clamp clamps forceps retractor retractors "
    "retractors elevator rongeur rongeurs scissors needle trocar tube tubes maneuver manoeuvre position score scores scale scales criteria classification grade stage index angle "
    "fracture contracture palsy paralysis phenomenon reflex reflexes node nodes lymphoma sarcoma tumor tumour thyroiditis anemia aneurysm cyst duct ducts gland glands ligament tendon tendinitis canal fascia space "
    "pouch fossa triangle line lines point membrane layer muscle incision approach technique operation fundoplication wire wires pin pins nail rod rods plate plates screw screws frame collar "
    "splint boot brace cast bandage dressing stockings valve shunt port pump bag mask bronchoscope laryngoscope blade speculum cannula dilator dilators snare stent graft patch mesh "
    "esophagus oesophagus ulcer ring hernia diverticulum spots spot nodules nodule bodies body cell cells stain smear agar coma respirations respiration breathing murmur gallop block "
    "rhythm arrhythmia fever lesion lesions foot toe arch knee joint arthropathy arthritis chorea dementia ataxia dystrophy encephalopathy aphasia area gyrus sinus tract loop flow "
    "study studies ultrasound imaging monitor curve equation formula ratio factor antigen antibody body's sponge sponges swab cup hook scope tape gauze pads thermometer chart table "
    "circle apparatus device implant lens technic vein artery nerve hiatus recess plexus ganglion corpuscle islet islets crypts patches plaque plaques plaques prominence tubercle tuberosity "
    "inventory questionnaire checklist scalpel gown hose walker bars osteotomy amputation arthroplasty arthrodesis hysterectomy gastrectomy colectomy mastectomy prostatectomy pyeloplasty bypass shave sheath trial "
    "albicans glabrata tropicalis auris infection vaginitis intertrigo species protocol protocols solution assay regimen nomogram staging complexes "
    "spray cream ointment tablet tablets capsule capsules solution gel injection injections infusion drops powder lotion inhaler vaccine patch pen"
)
# A capital here begins a sentence or a heading, or is a word no name follows.
FUNCTION_WORDS = words(
    "the a an this that these those he she it they we i his her their our its there here no not none and or but if then also both all any each some "
    "is was were are be been has have had will would should can could may might must do does did on in at to of for from by with without after before during since until "
    "today yesterday tomorrow now once when while as per please upon under over again patient patients pt history physical exam examination general past family social review systems "
    "assessment plan impression diagnosis diagnoses medications medication allergies allergy vital vitals signs chief complaint present illness subjective objective procedure "
    "procedures indication indications findings conclusion recommendation recommendations summary discharge admission course hospital labs laboratory imaging follow up "
    "follow-up instructions reason date time name age sex gender race note notes report page left right bilateral positive negative normal abnormal stable unknown "
    "what which who whom whose how why where yes okay hello dear thanks thank hi"
)

# What makes a term of a name that is also a word, whoever the patient is: white blood cells.
TERM_AFTER = words("cell cells blood count counts matter female male man woman race pressure")

CODE_SYSTEMS = r"(?:icd(?:-?(?:9|10))?(?:-?(?:cm|pcs))?|snomed(?:[ -]?ct)?|loinc|cpt|hcpcs|rxnorm|rxcui|ndc|drg|cvx|nct|pmid|doi|isbn|umls)"

# What a number is called before it, most telling first.
NUMBER_CUES = (
    (spans.FAX, r"\bfax|facsimile"),
    (spans.SSN, r"\b(?:ssn|ss ?#|soc(?:ial)?\.? ?sec(?:urity)?|last (?:four|4)(?: digits)?)"),
    (spans.MRN, r"\b(?:mrn?|medical rec(?:ord)?s?|med(?:ical)? ?rec|chart|record|mr ?(?:#|no)|unit (?:#|no|number)|hospital (?:#|no|number))"),
    (spans.HEALTH_PLAN, r"\b(?:hpb?n|health[ -]?plan|plan|member(?:ship)?|beneficiary|insurance|policy|subscriber|medicare|medicaid|group|hicn?|mbi|payer|coverage|benefit|grp)"),
    (spans.ACCOUNT, r"\b(?:acct|account|bank|iban|credit card|debit card|card|billing|invoice|claim|visit|encounter|har|csn|fin|transaction|visa|mastercard)"),
    (spans.LICENSE, r"\b(?:(?:licen[sc]e|lic)(?:(?: no| number|\.|#)?:? [A-Z]{2}(?=\s))?|certificate|cert|dea|npi|upin|registration|passport|driver'?s?|cln|dl)"),
    (spans.VEHICLE, r"\b(?:vin|plates?|tag|vehicle)"),
    (spans.DEVICE, r"\b(?:serial|s/n|udi|device|pacemaker|implant|model|lot)"),
    (spans.PHONE, r"\b(?:phone|tel(?:ephone)?|cell|mobile|call(?:ed|ing)?|contact|reach(?:ed|able)?|pager?|beeper|text(?:ed)?|whatsapp|home|work|ext|voicemail|dial|ring|hotline)"),
    (spans.LOCATION, r"\b(?:zip(?: ?code)?|postal code|postcode)"),
    (spans.ID, r"\b(?:id|i\.d|identifier|ident|accession|specimen|case|order|study|subject|site|rx|prescription|reference|ref|employee|student|tracking|confirmation|unique|number|protocol|sample|badge|studyid|token|pin|password|user|username|login)"),
)  # fmt: skip
