"""Where the sample's people live: real ZIP codes of the United States, some in areas too small to show."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A postal code, and how often the sample's people live there (any scale)."""

    postal_code: str
    city: str
    state: str
    area_code: str
    weight: float


PLACES = tuple(
    Place(*row)
    for row in (
        ("02118", "Boston", "MA", "617", 60),
        ("02119", "Roxbury", "MA", "617", 70),
        ("02121", "Dorchester", "MA", "617", 60),
        ("02124", "Dorchester Center", "MA", "617", 80),
        ("02126", "Mattapan", "MA", "617", 40),
        ("02128", "East Boston", "MA", "617", 60),
        ("02130", "Jamaica Plain", "MA", "617", 50),
        ("02149", "Everett", "MA", "617", 30),
        ("02169", "Quincy", "MA", "617", 40),
        ("02301", "Brockton", "MA", "508", 60),
        ("02740", "New Bedford", "MA", "508", 40),
        ("01605", "Worcester", "MA", "508", 45),
        ("01610", "Worcester", "MA", "508", 30),
        ("01702", "Framingham", "MA", "508", 30),
        ("01104", "Springfield", "MA", "413", 40),
        ("01109", "Springfield", "MA", "413", 30),
        ("01841", "Lawrence", "MA", "978", 45),
        ("01851", "Lowell", "MA", "978", 40),
        ("02907", "Providence", "RI", "401", 40),
        ("02860", "Pawtucket", "RI", "401", 30),
        ("06106", "Hartford", "CT", "860", 30),
        ("03103", "Manchester", "NH", "603", 30),
        ("04101", "Portland", "ME", "207", 20),
        ("05401", "Burlington", "VT", "802", 20),
        ("10025", "New York", "NY", "212", 15),
        # fewer than 20,000 people share the first three digits
        ("03602", "Alstead", "NH", "603", 9),
        ("03603", "Charlestown", "NH", "603", 9),
        ("05903", "Canaan", "VT", "802", 8),
        ("05906", "Lunenburg", "VT", "802", 5),
        ("10281", "New York", "NY", "212", 4),
        ("55604", "Grand Marais", "MN", "218", 4),
        ("69201", "Valentine", "NE", "402", 3),
        ("82190", "Yellowstone National Park", "WY", "307", 2),
        ("82301", "Rawlins", "WY", "307", 3),
        ("87801", "Socorro", "NM", "575", 3),
        ("87901", "Truth or Consequences", "NM", "575", 3),
        ("88401", "Tucumcari", "NM", "575", 3),
        ("89301", "Ely", "NV", "775", 3),
        # no census area at all: army post
        ("09012", "APO", "AE", "314", 3),
    )
)

# Rounded to thousands; what counts is on which side of 20,000 they lie.
ZIP3_POPULATIONS = {
    "010": 422000,
    "011": 156000,
    "014": 232000,
    "015": 295000,
    "016": 206000,
    "017": 340000,
    "018": 545000,
    "019": 470000,
    "020": 460000,
    "021": 1290000,
    "023": 420000,
    "027": 450000,
    "028": 620000,
    "029": 330000,
    "031": 215000,
    "036": 19000,
    "041": 240000,
    "054": 190000,
    "059": 7000,
    "061": 330000,
    "100": 1580000,
    "102": 15000,
    "203": 1000,
    "556": 15000,
    "692": 12000,
    "821": 1000,
    "823": 14000,
    "878": 18000,
    "879": 16000,
    "884": 16000,
    "893": 12000,
}
RESTRICTED_ZIP3 = frozenset(zip3 for zip3, people in ZIP3_POPULATIONS.items() if people <= 20_000)
