"""Short and other forms of English given names, as people in a clinic use them."""

from __future__ import annotations

_GROUPS = """
abigail abby gail|albert al bert bertie|alexander alex al sandy xander|alexandra alex sandra lexi sasha|alfred al fred alfie|alice ali allie|amanda mandy|andrew andy drew|angela angie|ann anna anne annie nan nancy hannah
|anthony tony|antonio tony toni|arthur art artie|augustus gus|barbara barb barbie babs|benjamin ben benny benji|bernard bernie|beverly bev|bradley brad|calvin cal|catherine katherine kathryn kathleen cathy kathy kate katie kat kitty cate
|cecilia cece|charles charlie chuck chas chip|charlotte charlie lottie|christina christine christy chris tina chrissy|christopher chris topher kit|clifford cliff|constance connie|cynthia cindy|daniel dan danny|david dave davey|deborah debra deb debbie
|dennis denny|diane diana di|dolores lola|donald don donnie|dorothy dot dottie dolly|douglas doug|edward ed eddie ted teddy ned|edwin ed|eleanor ellie nell nora|elizabeth liz lizzie beth betty betsy eliza lisa libby bess|emily em emmy
|eugene gene|evelyn evie|florence flo|frances fran frannie|francis frank fran|francisco paco frank cisco|franklin frank|frederick fred freddy rick|gabriel gabe|george georgie|gerald gerry jerry|gilbert gil|gloria glo|gregory greg|guadalupe lupe
|harold harry hal|harriet hattie|helen nell|henry hank harry hal|herbert herb bert|isabella isabel bella izzy|jacob jake|jacqueline jackie|james jim jimmy jamie|jane janie|janet jan|jason jay|jeffrey jeff|jennifer jen jenny jenn
|jeremy jerry|jessica jess jessie|joan joanie|jonathan jon nathan|john johnny jack jon|jose pepe|joseph joe joey|josephine jo josie|joshua josh|joyce joy|judith judy|julia julie jules|karen kari|kenneth ken kenny|kimberly kim|lawrence larry
|leonard leo len lenny|leslie les|lillian lily lil|linda lindy|louis lou louie|louise lou|lucille lucy|luis lou|madeline maddie|manuel manny|marcus marc mark|margaret maggie meg peggy marge margie greta rita|maria mary mari|martha marty patty
|martin marty|mary molly polly mae|matthew matt|maureen mo|maximilian max|megan meg|melissa missy mel lissa|michael mike mikey mick|michelle shelly|mildred millie|mitchell mitch|nancy nan|natalie nat|nathaniel nathan nate nat
|nicholas nick nicky|nicole nicky|norman norm|oliver ollie|olivia liv livvy|pamela pam|patricia pat patty patti trish tricia|patrick pat paddy|paul paulie|peter pete|philip phillip phil|phyllis phyl|rachel rae|randall randy
|raymond ray|rebecca becky becca|reginald reggie|richard rick rich dick ricky|robert bob rob bobby robbie bert|roberta bobbie|roger rog|ronald ron ronnie|rosemary rose rosie|russell russ|ruth ruthie|samantha sam sammie|samuel sam sammy|sandra sandy
|sarah sally sadie|sharon shari|shirley shirl|sophia sophie|stanley stan|stephanie steph|stephen steven steve stevie|susan sue susie suzy|suzanne sue suzy|sylvia syl|tamara tammy|teresa theresa terry tess tessa|terrence terry|theodore ted teddy theo
|thomas tom tommy|timothy tim timmy|valerie val|vanessa nessa|veronica ronnie|victor vic|victoria vicky tori|vincent vince vinny|virginia ginny ginger|vivian viv|walter walt wally|wendy wen|wesley wes|william will bill billy willie liam|zachary zach zack
"""
_FORMS: dict[str, set[str]] = {}
for _group in _GROUPS.replace("\n", "").split("|"):
    _whole, *_short = _group.split()
    for _form in (_whole, *_short):
        _FORMS.setdefault(_form, set()).update({_whole} if _form != _whole else set(_short))


def other_forms(given: str) -> frozenset[str]:
    """Forms of a given name (lower case): of 'robert' bob, rob, bobby …; of 'bob' robert."""
    return frozenset(_FORMS.get(given, ()))
