"""Entries of the o200k_base vocabulary, an excerpt: what ordinary text is mostly made of.

o200k_base is the tokenizer of OpenAI's current models; its vocabulary of 200,000 entries is
published with tiktoken (MIT). Here are those of its first 60,000 that are English words or common
in code, the words in capitals common in code, every Chinese character that is an entry, and the
pairs of one with another (or with the mark before it) that are entries and common in Chinese.
"""

WORDS = """\
aa aaron ab aba abandon abandoned abb abd abilities ability able abnormal abort abortion about above
abraham abroad abs absence absent absolute absolutely absorb absorption abstract abundance abundant
abuse ac academic academy acc acceleration accent accept acceptable acceptance accepted accepting
accepts access accessed accessibility accessible accessing accessories accessory accident accidents
accommodate accommodation accommodations accompanied accompany accompanying accomplish accomplished
accord accordance according accordingly account accounting accounts accredited accuracy accurate
accurately accused ace ache achieve achieved achievement achievements achieving acid acids
acknowledge acknowledged acne acquaint acquire acquired acquiring acquisition acre acres across act
acting action actions activate activated activation active actively activities activity actor actors
actress acts actual actually acute ad ada adam adams adapt adaptation adapted adapter add added
addict addiction adding addition additional additionally addr address addressed addresses addressing
adds ade adequate adj adjacent adjust adjustable adjusted adjustment adjustments admin administer
administered administration administrative administrator admission admissions admit admitted adobe
adolescent adopt adopted adoption adorable ads adult adults adv advance advanced advances advantage
advantages advent adventure adventures adverse advert advertised advertisement advertisements
advertising advice advise advised advisor advocate ae aesthetic af aff affair affairs affect
affected affecting affection affects affiliate affiliated affiliates affirm afford affordable afghan
afghanistan afraid africa african aft after afternoon afterwards ag again against agar age aged
agencies agency agenda agent agents ages aggregate aggressive aging ago agree agreed agreement
agreements agricultural agriculture ah aha ahead ai aid aide ail aim aimed aims ain air aircraft
aires airline airlines airport ais aix aj ajax ak aka al ala alabama alan alarm alaska alb albert
album albums alcohol ale alert alerts alex alexander alfred alg algo algorithm algorithms ali alias
alice alien align aligned alignment alike alive all allah allegations alleged allegedly allen
alliance alloc allocate allocated allocation allow allowance allowed allowing allows alloy alma
almost alone along alongside alpha alphabet already also alt alta alter altered alternate
alternative alternatively alternatives although alto altogether alum aluminium aluminum always
alzheimer am ama amateur amazed amazing amazon ambient ambitious amen amend amendment amenities
america american americans ami amid amigo amigos amino among amongst amount amounts amp ample
amsterdam amy an ana analog analyse analyses analysis analyst analysts analytical analytics analyze
analyzed analyzing anchor ancient and anderson andre andrew android andy angel angela angeles anger
angle angles angry angular ani animal animals animate animated animation animations anime ann anna
anne anniversary annotation announce announced announcement annoy annoying annual annually anonymous
another ans answer answered answering answers ant ante anterior antes anthony anti anticipated
antique anton antonio anxiety anxious any anybody anymore anyone anything anytime anyway anywhere ao
ap apache apart apartment apartments api apo app apparent apparently appeal appealing appear
appearance appearances appeared appearing appears append appetite apple apples appliances applicable
applicant applicants application applications applied applies apply applying appoint appointed
appointment appointments appreciate appreciated appreciation approach approached approaches
approaching appropriate appropriately approval approve approved approx approximately apps apr april
apt aq ar ara arab arabia arabic arbitrary arc arch architect architectural architecture archive
archives are area areas aren arena arg argc argentina argparse args argue argued argument arguments
argv aria arise arising arizona ark arkansas arm armed armor arms army arn aroma around arr arrange
arranged arrangement arrangements array arrays arrest arrested arrival arrive arrived arrives
arriving arrow arsenal art arthur article articles artificial artist artistic artists arts artwork
ary as asc ash asia asian aside ask asked asking asks asleep asp aspect aspects ass assault assemble
assembled assembly assert assertion assess assessed assessment assessments asset assets assign
assigned assignment assignments assist assistance assistant assisted assisting assists associate
associated associates association associations assort assortment assume assumed assumes assuming
assumption assumptions assurance assure assured ast async at ate athlete athletes athletic atlanta
atlantic atmosphere atom atomic att attach attached attachment attack attacked attacks attain
attempt attempted attempting attempts attend attendance attended attending attention attitude
attitudes attorney attorneys attr attract attracted attraction attractions attractive attribute
attributed attributes attrs au auction aud audi audience audiences audio audit aug augment august
auk aura austin australia australian austria auth authentic authentication author authorities
authority authorization authorized authors auto automated automatic automatically automation
automobile automotive autos autumn aux av avail availability available avatar ave avenue aver
average avg avis avoid avoided avoiding aw await award awarded awards aware awareness away awesome
awful awk awkward ax axes axios axis ay az azure ba babies baby bac bach bachelor back backdrop
backed backend background backgrounds backing backpack backs backup backward backwards backyard
bacon bacteria bad badge badly bag bags bah bail bak bake baked baker baking balance balanced
balcony bald bali ball balls baltimore ban band bands bandwidth bang bangkok bank banking bankruptcy
banks banned banner bar barack barb barbara barcelona bard bare barely bark barn barr barrel barrier
barriers barry bars bart base baseball based baseline basement bases bash basic basically basics
basis bask basket basketball bass bast bat batch bate bath bathroom bathrooms baths batman batter
batteries battery battle battles bay bayer baz bb bc bd be beach beaches beam bean beans bear
bearing bearings bears beat beaten beating beats beau beautiful beautifully beauty became because
beck become becomes becoming bed bedroom bedrooms beds bee beef been beer beet before beg began
begin beginner beginners beginning begins begun behalf behavior behavioral behaviors behaviour
behind beijing being beings belgium belie belief beliefs believe believed believes bell belle belly
belong belonging belongs beloved below belt ben bench benchmark bend beneath beneficial benefit
benefits benjamin bent ber berg bergen berlin berm bern bernard bert beside besides best bet beta
beth bets better betting between beverage beyond bg bh bi bias bib bible bic bicycle bid biden bids
big bigger biggest bike bikes bile bill billing billion bills billy bin binary bind binding bins bio
biological biology bird birds birmingham birth birthday bishop bit bitcoin bite bitmap bits bitter
biz bl black blackjack blade blame bland blank blanket blast bleeding blend bless blessed blessing
blind blob bloc block blockchain blocked blocking blocks blog blogger bloggers blogging blogs blonde
blood bloom blow blu blue blueprint blues bluetooth blur bo boa board boards boasts boat boats bob
bodies body bog boiler bol bola bolas bold bole bom bomb bond bonds bone bones bonus bonuses book
booked booking bookmark books bool boolean boom boost boot booth boots bootstrap border borders
bored boring born borrow boss boston bot both bother bots bottle bottles bottom bought bounce bound
boundaries boundary bounds bout boutique bow bowl box boxes boy boyfriend boys bp br bra brace
bracket brad brain brake branch branches brand branding brands bras brass brave brazil breach bread
break breakdown breakfast breaking breaks breast breath breathe breathing breed breeze brew brian
brick bride brides bridge brief briefly bright brightness brilliant bring bringing brings brit
britain british broad broadcast broader broadway broke broken broker brokers bron bronze brook
brooklyn bros brother brothers brought brow brown brows browse browser browsers browsing bruce brush
brut brutal bs bt btn bu bubble buck bucket bud buddy budget buf buff buffalo buffer buffered buffet
bug bugs build builder building buildings builds built bulk bull bullet bum bump bun bunch bundle
bur burden bureau burg burger buried burn burned burning burst bus buses bush business businesses
bust busy but butt butter button buttons buy buyer buyers buying buzz bw by bypass byte bytes ca cab
cabin cabinet cabinets cable cables cache cached cad cadre caf cafe cake cal calc calcium calculate
calculated calculation calculations calculator calendar california call callback called caller
calling calls calm calories cam cambridge came camera cameras cameron camp campaign campaigns
campbell camping campos camps campus can canada canadian canal cancel cancellation cancelled cancer
candid candidate candidates candle candy cannabis cannot canon cans cant canvas canyon cap
capabilities capability capable capacity cape capital caps capt captain caption capture captured car
cara carbon card cardiovascular cards care career careers careful carefully cares cargo caribbean
caring carl carlos carol carolina carp carpet carr carried carrier carriers carries carry carrying
cars cart carter cartoon case cases cash casino casinos cast casting castle casual cat catalog catch
catching categories category cater catering catholic cats caught cause caused causes causing caution
cave cb cbd cc cd ce ceil ceiling celebrate celebrated celebrating celebration celebrities celebrity
cell cells cellular cement cent center centered centers central centre centres cents centuries
century ceramic ceremony cert certain certainly certificate certificates certification certified cf
cfg ch chain chains chair chairman chairs challenge challenged challenges challenging chamber champ
champion champions championship chan chance chances chang change changed changes changing channel
channels chant chaos chap chapter chapters char character characteristic characteristics
characterized characters charge charged charges charging charity charles charlie charlotte charm
charming chars charset chart charter charts chase chat che cheap cheaper cheapest check checked
checking checkout checks cheer cheese chef chelsea chem chemical chemicals chemistry chen chess
chest chevrolet chi chic chicago chick chicken chief child childhood children chile chill chin china
chinese chip chips chocolate choice choices cholesterol choose choosing chose chosen chr chris
christ christian christianity christians christmas christopher chrome chronic chunk chunks church
churches ci cid cigarette cigarettes cinema cipher circa circle circles circuit circular circulation
circumstances cisco cit cited cities citizen citizens city civil cl claim claimed claiming claims
clang clarity clark class classes classic classical classification classified classroom clause clay
clean cleaned cleaner cleaning cleans cleanup clear clearance cleared clearing clearly cleveland
clever cli click clicked clicking clicks client clients climate climb climbing clinic clinical
clinton clip clips clock clone close closed closely closer closest closet closing closure cloth
clothes clothing cloud clouds cls club clubs clue cluster clusters cm cmd cmp cms cn cnt co coach
coaches coaching coal coast coastal coat coating cob cocktail coconut cod code codes coding coffee
cognitive coil coin coins col cold cole collaboration collaborative collapse collar colleagues
collect collected collecting collection collections collective collector college colleges collins
collision colombia colon colonial color colorado colored colorful coloring colors colour colours
cols columbia columbus column columns com coma comb combat combination combinations combine combined
combines combining combo come comedy comer comes comfort comfortable comfortably comfy comic comics
coming comm command commander commands commence comment commentary commented commenting comments
commerce commercial commission commissioner commit commitment committed committee common commonly
commons commune communicate communication communications communities community como comp compact
companies companion company comparable compare compared comparing comparison compassion compat
compatibility compatible compelling compensation compete competent competing competition competitive
competitors compilation compile compiled compiler complain complaint complaints complement complete
completed completely completing completion complex complexity compliance complicated complications
compliment complimentary comply component components comport compos compose composed composite
composition compost compound compounds comprehensive compress compressed compression comprised
comprises comprising compromise compute computed computer computers computing con concentrate
concentration concentrations concept conception concepts concern concerned concerning concerns
concert concerts conclude concluded conclusion conclusions concrete concurrent cond condition
conditioning conditions condo conduct conducted conducting cone conf confer conference conferences
confidence confident confidential config configuration configurations configure configured confirm
confirmation confirmed conflict conflicts conform confront confused confusing confusion cong
congress conj conjunction conn connect connected connecticut connecting connection connections
connectivity connector connects cons conscience conscious consciousness consecutive consensus
consent consequence consequences conservation conservative consider considerable considerably
consideration considerations considered considering considers consist consistency consistent
consistently consisting consists console const constant constantly constants constexpr constitute
constitution constraint constraints construct constructed construction constructor consult
consultant consultants consultation consulting consume consumed consumer consumers consuming
consumption cont contact contacted contacting contacts contain contained container containers
containing contains contemporary content contents contest context continent continua continually
continue continued continues continuing continuous continuously contract contractor contractors
contracts contrary contrast contrib contribute contributed contributing contribution contributions
contributor contributors control controlled controller controllers controlling controls
controversial conv convenience convenient conveniently convent convention conventional conversation
conversations conversion convert converted converter converting convey convince convinced cook
cooked cookie cookies cooking cool cooler cooling cooper cooperation coordinate coordinates
coordination coordinator cop cope copied copies copper copy copyright cord core cores corn corner
corners corona coronavirus corp corporate corporation corporations corps correct correction
correctly correlation correspond corresponding corrupt corruption cosmetic cost costly costs costume
costumes cot cottage cotton couch could couldn council counsel counseling count counter counties
counting countless countries country counts county coup couple coupled couples coupon coupons
courage course courses court courtesy courts cousin cov cover coverage covered covering covers covid
cow cozy cp cpu cr crack craft crafted crafts craig crap crash crate crazy cream create created
creates creating creation creative creativity creator creators creature creatures cred credentials
credit credits cree creek cref crew cricket crime crimes criminal crisis crisp criteria critic
critical criticism critics critique cron crop crops cross crossed crossing crow crowd crown crucial
cruel cruise crush crushed crushing crust cruz cry crying crypt crypto cryptocurrency crystal cs css
csv ct ctrl ctx cu cub cuba cube cuisine cult cultural culture cultures cup cups cur cure curios
curiosity curious curl curr currency current currently curriculum curs cursor curt curve cushion
custody custom customer customers customize customized customs cut cute cuts cutting cv cx cy cycle
cycles cycling cylinder cz czech da dab dad dado dados daily dairy dakota dallas dam damage damaged
damages dame damn damp dan dana dance dancing danger dangerous dangers daniel dank danny dare dark
darkness das dash dashboard dat data database databases dataset datasets date dated dates datetime
dating datum daughter daughters dave david davis dawn day days db dc dd de dead deadline deadlines
deadly deal dealer dealers dealership dealing deals dealt dean dear death deaths deb debate debit
debris debt debug debut dec decade decades decay december decent decide decided decides deciding
decimal decision decisions deck decl declaration declarations declare declared decline declined
decode decoded decoder decor decorated decorating decoration decorative decrease decreased dedicated
dedication deduct deed deemed deep deeper deeply deer def default defaults defeat defeated defect
defects defence defend defendant defender defense defensive deferred deficit define defined defines
defining definitely definition definitions deg degree degrees deja del delay delayed delays delegate
delete deleted delhi delicate delicious delight delighted delightful deliver delivered delivering
delivers delivery dell della delta dem demand demanding demands demo democracy democratic democrats
demon demonstrate demonstrated demonstrates demonstration den denied dens dense density dent dental
dentist denver deny dep depart department departments departure depend dependencies dependency
dependent depending depends depict deploy deployed deployment deport deposit deposits depress
depression depth deputy der derived des desc descend descr describe described describes describing
description descriptions descriptor desert deserve deserves design designated designed designer
designers designing designs desirable desire desired desires desk desktop desperate despite dessert
dest destination destinations destroy destroyed destruct destruction detail detailed details detect
detected detection detector deter determination determine determined determines determining detroit
dev develop developed developer developers developing development developments develops device
devices devoted df dh di dia diabetes diagnosed diagnosis diagnostic diagram dial dialog dialogue
diameter diamond dice dict dictionary did didn die died diego dies diesel diet dietary diff differ
difference differences different differently difficult difficulties difficulty dig digest digit
digital digits dim dimension dimensions din dina dine ding dining dinner dins dint dip diploma dir
dire direct directed direction directions directly director directories directors directory dirt
dirty dis disabilities disability disable disabled disagree disappear disappeared disappoint
disappointed disaster disc discharge discipline disciplines disclaimer disclosure disco discomfort
disconnect discord discount discounted discounts discover discovered discovering discovery
discretion discrimination discuss discussed discusses discussing discussion discussions disease
diseases dish dishes disk dismiss disney disorder disorders dispatch display displayed displaying
displays disposal dispose disposed disposing disposition dispute disrupt diss dissertation dist
distance distances distant distinct distinction distinctive distinguish distress distribute
distributed distribution district districts disturb dit div dive diver divers diverse diversity
divert divide divided dividend divine diving division divorce dj django dl dm do dobro doc dock docs
doctor doctors document documentary documentation documented documents doe does doesn dog dogs doing
doll dollar dollars dom domain domains domestic dominant dominated domingo don donald donate donated
donation donations done donn donna donne donner dont door doors dorm dos dosage dose doses dossier
dot dots double doubt dough douglas dove dow down download downloaded downloading downloads downtown
dozen dozens dp dr draft drag dragon drain dram drama dramatic dramatically draw drawer drawing
drawings drawn draws dream dreams dress dressed dresses dressing drew dried drift drill drink
drinking drinks drive driven driver drivers drives driving drone drop dropped dropping drops drove
drug drugs drum drunk dry dryer drying ds dst dt du dual dub dubai dublin duct dud due dug duke dull
dumb dummy dump dumpster dun duo dup duplicate durability durable durant durante duration during
dust dutch duties duty dv dw dx dy dying dyn dynamic dynamics dysfunction dz ea each eager eagle ear
earlier earliest early earn earned earning earnings ears earth ease easier easiest easily east
easter eastern easy eat eaten eating eb ebe eben ebook ec ecc echo eclipse eco economic economics
economy ecosystem ed eden edge edges edit edited editing edition editor editorial editors edu
educate educated education educational educators edward ee ef eff effect effective effectively
effectiveness effects efficiency efficient efficiently effort efforts eg egg eggs ego egypt eh ei
eight either ej ek el elapsed elastic elder elderly elect elected election elections electoral
electric electrical electricity electron electronic electronics elegant elem element elementary
elements elevated elevation eli elif eligibility eligible eliminate elite elizabeth elk ell ella
else elsewhere em email emails embargo embed embedded embrace emerge emerged emergency emerging
emily emir emission emissions emit emma emotion emotional emotionally emotions emp emphasis empire
employ employed employee employees employer employers employment empower empty en enable enabled
enables enabling enc encode encoded encoder encoding encore encounter encountered encourage
encouraged encourages encouraging encrypt encrypted encryption end ended endif ending endless
endorse endpoint ends enemies enemy energetic energy enforce enforcement eng engage engaged
engagement engaging engine engineer engineering engineers engines england english enhance enhanced
enhancement enhancing enjoy enjoyable enjoyed enjoying enjoyment enjoys enormous enough enrich
enroll enrolled enrollment ens ensemble ensure ensures ensuring ent enter entered entering
enterprise enterprises enters entertain entertaining entertainment enthusiasm enthusiastic
enthusiasts entire entirely entities entitled entity entrance entrepreneur entrepreneurs entries
entry enum enumerate env envelope environ environment environmental environments eo ep epic episode
episodes epoch eps eq equal equality equally equals equation equip equipment equipped equity
equivalent er era ere erect erectile erg eric ernst err error errors ers es esc escape escort
escorts eslint esp especial especially essay essays essence essential essentially est establish
established establishing establishment estate estes estimate estimated estimates et eta etc eternal
eth ether ethical ethics ethnic eu euro europa europe european euros ev eval evaluate evaluated
evaluating evaluation evans eve even evening event events eventual eventually ever every everybody
everyday everyone everything everywhere evidence evident evil evolution evolved evolving ex exact
exactly exam examination examine examined example examples exams exc exceed excel excellence
excellent except exception exceptional exceptions excess excessive exchange exchanges excited
excitement exciting excl exclude excluded exclusive exclusively excuse exec execute executed
executing execution executive executives executor exercise exercises exhaust exhibit exhibition
exist existed existence existing exists exit exotic exp expand expanded expanding expansion expect
expectation expectations expected expecting expects expend expense expenses expensive experience
experienced experiences experiencing experiment experimental experiments expert expertise experts
expiration expire expired expires explain explained explaining explains explanation explicit
explicitly explode exploit exploration explore explored explorer explores exploring explosion expo
exponent export exports expos expose exposed exposure expr express expressed expression expressions
ext extend extended extending extends extension extensions extensive extent exterior extern external
extra extract extracted extraction extraordinary extras extreme extremely ey eye eyes ez fa fab
fabric fabrication fabrics fabulous fac face facebook faced faces facial facile facilitate
facilities facility facing fact factor factors factory facts faculty fade fail failed failing fails
failure failures fair fairly faith faithful fake fall fallen falling falls false fam fame familiar
families family famous fan fancy fans fantastic fantasy far fare farm farmers farming farms
fascinating fashion fast faster fastest fat fatal fate father fatigue fault fav favor favorable
favorite favorites favour favourite fax fb fc fd fe fear fears feasible feat feature featured
features featuring feb february fed federal federation fee feed feedback feeding feeds feel feeling
feelings feels fees feet fell fellow felt fem female females fen fence fer fern fernando fest
festival festivals fetch fever few fewer fez ff fh fi fib fiber fica fiction fie field fields fifth
fifty fig fight fighter fighting fights figure figured figures file filed filename filepath files
filing fill filled filling film films filter filtered filtering filters fin final finale finally
finance finances financial financially financier financing find finding findings finds fine fines
finest finger fingers finish finished finishes finishing finland finn finns fins fir fire firebase
fired firefox fireplace fires firing firm firmly firms firmware first fiscal fish fisher fishing fit
fitness fits fitted fitting five fix fixed fixing fixture fixtures fl flag flags flame flash flask
flat flavor flavors flaw flee fleet flesh flex flexibility flexible flick flight flights flip flo
float floating flood floor flooring floors floral florida flour flow flower flowers flowing flows
flu fluid flush flux fly flying fm fmt fn fname fo foam focal focus focused focuses focusing fog
fold folder folders folk folks follow followed followers following follows fond font fonts foo food
foods fool foot footage football footer fopen for fora force forced forces forcing ford fore foreach
forecast foreign forest forests forever forget forgot forgotten fork form formal format formation
formats formatted formatter formed former formerly forming forms formula fort forte forth forts
fortunate fortunately fortune forty forum forums forward fosse foster fought found foundation
founded founder founding four fourth fox fp fprintf fr fraction frag fragment frame frames framework
fran franc france frances franchise francis francisco frank frankfurt franklin fraud freak fred free
freed freedom freelance freely freeze french frequency frequent frequently fresh fri friday fridge
fried friend friendly friends friendship fright fro from front frozen fruit fruits frustrated
frustrating frustration fry fs ft fu fuel fulfill full fully fum fun func function functional
functionality functioning functions fund fundamental funded funding funds funeral funk funnel funny
fur furnish furnished furniture further furthermore fusion future futures fy ga gab gabriel gad
gadgets gag gain gained gaining gains gal galaxy gall gallery gambling game games gaming gamma gang
gap gaps garage garbage garden gardens garlic gary gas gases gate gateway gather gathered gathering
gauche gauge gave gay gb gc gd ge gear ged gee geh gel geld gem gen gena gender gene general
generally generate generated generates generating generation generations generator generic generous
genes genetic genius genre genres gens gent gentle gently genuine genuinely geo geometry george
georgia ger gere germ german germany get gets getting getty gh ghana ghost gi giant gid gif gift
gifts gig gil gilt gin girl girlfriend girls git give given gives giving gj gl glad glam glance
glass glasses glen glob global globally globe glory gloss gloves glow glucose glue gluten gn go goal
goals gob god gods goes going gold golden golf gone gonna good goodness goods google gordon gore
gorgeous gospel got goth goto gotten gov govern governance governed governing government governments
governor gr gra grab grabbed grace grad grade grades gradient gradually graduate graduated graduates
graduation graham grain grains gram grammar grams grand grandmother grands granite grant granted
grants graph graphic graphics grasp grass grateful gratis gratitude grave gravel graves gravity gray
great greater greatest greatly greece greek green greg grep grew grey grid grief grill grind
grinding grip grocery groom gross ground grounds group groups grove grow growing grown grows growth
gs gt gtk gu guarantee guaranteed guarantees guard guardian guards guerra guess guest guests gui
guidance guide guided guidelines guides guild guilty guitar gulf gum gun guns gus gust gusto gut guy
guys gw gy gym ha haber habit habitat habits hack had hadn haft hag hah hair hal half hall halloween
halt ham hamburg hamilton hammer hampshire han hand handed handful handle handled handler handlers
handles handling handmade hands handy hang hanging hans happen happened happening happens happier
happily happiness happy harbor hard harder hardly hardware hardwood harm harmful harmon harmony
harness harris harry harsh hart harvard harvest has hash hasn hassle hat hate have haven having haw
hawaii hay hazard hd he head headed header headers heading headline headlines headquarters heads
heal healing health healthcare healthier healthy heap hear heard hearing heart hearts heat heated
heater heating heaven heavily heavy heel heels height heights held hell hello helm help helped
helper helpful helping helps hem hemp hen hence henry her herb herbal herbs here hereby herein
heritage hero heroes hers herself hes hesitate hex hey hi hid hidden hide hiding high higher highest
highlight highlighted highlighting highlights highly highway hike hiking hill hills him himself hind
hindi hindu hing hint hints hip hire hired hiring his hist historic historical history hit hitler
hits hitting hiv hl ho hobby hoc hockey hod hoe hoff hog hold holder holders holding holds hole
holes holiday holidays holland hollywood holy home homeless homemade homeowners homepage homes
homework hon honda honest honestly honey hong honor honored hood hoof hook hooks hoop hop hope hoped
hopefully hopes hoping horizon horizontal hormone horn horrible horror horse horses hos hose
hospital hospitality hospitals host hosted hosting hosts hot hotel hotels hottest hour hours house
household households houses housing houston hover how howard however hp hr href hrs hs html http
https hu hub hud hue hug huge hum human humanity humans humble humidity humor hun hundred hundreds
hung hunger hungry hunt hunter hunting hurt hus husband hw hy hybrid hydraulic hydrogen hyper ia ian
ic ice icon icons icy id ide idea ideal ideas ident identical identification identified identifier
identifies identify identifying identity idle ids idx ie if ig ignore ignored ih ii ij ik ike iki il
ila ile ilk ill illegal illinois illness illuminate illustrated illustration illustrations im image
images imagination imagine imagined imaging img immediate immediately immense immigrants immigration
immune imp impact impacted impacts impart impl implant implement implementation implemented
implementing implements implications implicit implied implies import importance important
importantly imported imports imposed impossible impress impressed impression impressive improve
improved improvement improvements improves improving in ina inappropriate inbox inc incentives inch
inches incident incidents include included includes including inclusion inclusive income incoming
incorporate incorporated incorrect increase increased increases increasing increasingly incredible
incredibly increment incur ind indeed indent indep independence independent independently index
indexed indexes india indian indiana indians indicate indicated indicates indicating indication
indicator indicators indices indirect indispensable individual individually individuals indonesia
indoor induced industrial industries industry inevitable inexpensive inf infant infect infected
infection infections infer inferior infinite inflammation inflation influence influenced influences
influential info inform informal information informational informative informed infra infrastructure
ing ingredient ingredients ingres inhabit inherit inherited ini init initial initialization
initialize initialized initially initiated initiative initiatives inject injection injured injuries
injury ink inline inn inner innings innocent innovation innovations innovative input inputs inquiry
ins insect insert inserted inside insight insights insist inspect inspection inspiration inspire
inspired inspiring inst instagram instal install installation installations installed installer
installing instance instanceof instances instant instantly instead instinct institute institution
institutional institutions instr instruct instruction instructions instructor instrument
instrumental instruments insulation insulin insult insurance insured int intact intake integer
integers integral integrate integrated integration integrity intel intellect intellectual
intelligence intelligent intend intended intense intensity intensive intent intention intentions
inter interact interaction interactions interactive interest interested interesting interests
interface interfaces interior intermediate intern internal international internationale
internationally interne internet internship interpret interpretation interrupt interrupted
intersection interval intervals intervention interventions interview interviews intimate into intro
introduce introduced introduces introducing introduction intuit intuitive inv invalid invasion
invent invention inventory inverse invert invest invested investigate investigated investigating
investigation investigations investing investment investments investor investors invisible
invitation invite invited invites inviting invoice invoke involve involved involvement involves
involving io ion ios iowa ip iphone ir ira iran iraq ireland irish iron irregular is ish islam
islamic island islands isn iso isolated isolation israel israeli iss issue issued issues it italian
italy item items iter iteration iterations iterator ito its itself iv iw ix iy iz ja jack jacket
jackpot jackson jacob jag jail jam james jamie jan jane january japan japanese jar jason java jaw
jay jazz je jean jeans jed jeff jefferson jennifer jerry jersey jerusalem jess jessica jest jesus
jet jew jewelry jewish jews ji jim jimmy jira jo joan job jobs joe jog john johnny johnson join
joined joining joins joint joints joke joker jokes jon jonathan jones jordan jorge jose joseph josh
jot journal journalism journalist journalists journals journey joy jr js json ju juan judge judges
judgment judicial jug juice jul julia julie julio july jump jumped jumping jun june junior junk
jurisdiction jury just justice justify justin jw jwt jy ka kale kali kama kans kansas kant kara
karen karl karo kate kay ke keen keep keeping keeps kelly ken kennedy kent kentucky kenya kept
kernel keto kevin key keyboard keys keyword keywords kg khan ki kia kick kicked kid kidney kids kiel
kill killed killer killing kim kin kind kinda kinder kindle kindness kinds king kingdom kings kip
kirk kiss kit kitchen kits kl klein km kn knee knees knew knife knight knock know knowing knowledge
knowledgeable known knows ko kong korea korean kotlin kr kraft kt ku kv kw kwargs ky la lab label
labeled labels labor laboratory labour lack lacking lad ladies lady lag laid lain lake lakes lam
lama lamb lambda lament lamp land landed landing lands landscape lane lang language languages lanka
lap laps laptop large largely larger largest largo larry las laser lassen last lasting lasts lat
late lately later lateral latest latin latitude latter laugh laughed laughing launch launched
launching laundry laura lava law lawn lawrence laws lawsuit lawyer lawyers lay layer layers laying
layout lazy lb lbs ld le lea lead leader leaders leadership leading leads leaf league leak lean leap
lear learn learned learners learning lease least leather leave leaves leaving lecture lectures led
lee leer lees left leg legacy legal legally legend legendary legislation legislative legit
legitimate legs lei leis leisure lemma lemon len lend lender lenders lending length lengths lengthy
lens lenses lent leo leon les lesbian less lesser lesson lessons let lets letter letters letting
levant level levels lever leverage lew lewis lex lg lhs li liability liable lib liberal liberty
libraries library libre licence license licensed licenses licensing lid lie lief liefer lien lies
lieu life lifestyle lifetime lift lifted lifting light lighter lighting lightly lights lightweight
like liked likelihood likely likes likewise lima lime limit limitation limitations limited limiting
limits lin lincoln lind linda line linear lined linen lines lineup lining link linked linking links
linux lion lip lips liquid lire lisa list listed listen listened listener listeners listening
listing listings lists lit lite liter literal literally literary literature litigation litter little
live lived lively liver liverpool lives living liz ll lo load loaded loader loading loads loan loans
lob lobby loc local locale locales locally locals locate located location locations lock locked
locks lodge loft log logged logger logging logic logical login logistics logo logout logs loin lol
lon london long longer longest longitude look looked looking looks lookup loop loops loose lop lord
lori los lose losing loss losses lost lot lots lottery lou loud louis louisiana lounge love loved
lovely lover lovers loves loving low lower lowest loyal loyalty lp lr ls lt ltd lu lua lucas luck
lucky lug luis luke lunch lung lungs lust luther luxurious luxury luz lv lw ly lying lymph lyon
lyrics ma mac mach machine machinery machines mack macro mad made madison madrid mae mag magazine
magazines magic magical magnet magnetic magnificent magnitude mai mail mailing main maine mainly
mains mainstream maintain maintained maintaining maintains maintenance maj major majority make maker
makers makes makeup making malaysia male males mali mall malloc malware mama man manage managed
management manager managers manages managing manchester mandatory mane manga mange manhattan
manifest mann manner mans manual manually manuel manufacture manufactured manufacturer manufacturers
manufacturing many map mapped mapper mapping maps mar mara marc march marco mare margin marginal
mari maria marie marijuana marina marine mario mark marked marker markers market marketers marketing
marketplace markets marks marriage married marry mars marshall mart martin marvel marx mary maryland
mas masc mash mask masks mason mass massachusetts massage masses massive mast master masters mat
match matched matches matching mate material materials math mathematical mathematics matrix mats
matt matter matters matthew mattress mature max maxim maximize maximum may maybe mayo mayor maze mb
mba mc md me meal meals mean meaning meaningful means meant meantime meanwhile measure measured
measurement measurements measures measuring meat mechanical mechanics mechanism mechanisms med medal
media median medic medical medicare medication medications medicine medicines medieval meditation
mediterranean medium meet meeting meetings meets meg mel melbourne meld melt mem member members
membership membrane memcpy meme memo memorable memorial memories memory men mend mental mentally
mention mentioned mentor menu menus mercado mercedes merchandise merchant mere merely merge merged
mes mesa mesh mess message messages met meta metabolism metadata metal metals mete meter meters meth
method methodology methods metres metric metrics metro metros mexican mexico mf mg mh mi mia miami
mice mich michael michel michelle michigan mick micro microsoft microwave mid middle midnight midst
mig might migration migrations miguel mike mil milan mild mile miles milieu military milk mill
miller milli million millions mills min mind minds mindset mine miner mineral minerals mines ming
mini minim minimal minimize minimum mining minister ministry minn minnesota minor minority mint
minus minute minutes mir mirror mis miser miss missed missing mission missions mississippi missouri
mist mistake mistakes mister mit mitchell mitt mix mixed mixer mixing mixture mj mk ml mm mn mo mob
mobil mobile mobility mock mod modal mode model modeling models moderate modern modes modest
modification modifications modified modifier modify module modules moe moet moist moisture mold mole
molecular molecules molest molt mom moment moments momentum mon monday monet monetary money mongo
mongoose monitor monitoring monitors mono monster monsters mont montana monte month monthly months
montreal monument moo mood moon moore moral more moreover morgan morning morph morris mort mortality
mortgage mos moscow most mostly mote mother mothers motion motivated motivation motor motorcycle
motors mount mountain mountains mounted mounting mouse mouth mov move moved movement movements moves
movie movies moving mozilla mp mph mr mrs ms msg mt mu much mud mug mul multi multiple multiply mum
mumbai mung municipal murder murphy murray muscle muscles muse museum mush music musical musician
musicians muslim muslims muss must mut mutable mutation mutual mv mw mx my myanmar myself mysql myst
mysterious mystery myth na nab nag nah nail nails naked nam name named namely names namespace nan
nancy nap narrative narrow nas nash nashville nat natal nation national nations nationwide native
natural naturally nature nav nave navigate navigation navigator navy nay nb nc nd ne near nearby
nearest nearly neat necessarily necessary necessity neck ned need needed needing needle needs neg
negative neglig negotiations negro neigh neighbor neighborhood neighborhoods neighbors neighbour
neil neither nell nelson nepal nerve nervous nest nested net netflix netherlands nett network
networking networks neural neutral nev nevada never nevertheless new newer newest newly news
newsletter newspaper newspapers newton next ng nh ni nib nicaragua nice nicely niche nick nickname
niger nigeria night nights nike nil nine ning nintendo nip nis nissan nit nj nk nl nm nn no noble
nobody nod node nodes noe noise nokia nome non none nonetheless nonprofit noon nor norm normal
normalize normalized normally north northern northwest norway nos nose not notable note notebook
noted notes nothing notice noticed notification notifications notified notify notion nous nouveau
nov nova novas novel novels november now nowadays nowhere np nr ns nt nth nu nuclear null nullable
nullptr num number numbers numeric numerical numerous numpy nun nurse nurses nursing nut nutrients
nutrition nutritional nuts nw nx ny nz oak ob obama obesity obj object objective objectives objects
obligation obligations observable observation observations observe observed observer obstacle
obstacles obtain obtained obtaining obvious obviously oc occasion occasional occasionally occasions
occupation occupied occur occurred occurrence occurring occurs ocean oct october od odd odds ode
oder oe of off offense offensive offer offered offering offerings offers office officer officers
offices official officially officials offline offset oft often og oh ohio oil oils oj ok okay
oklahoma ol old older oldest olive oliver olympic olympics om omega on once one ones ongoing onion
online only ontario onto oo op opacity open opened opening opens opera operate operated operates
operating operation operational operations operator operators opinion opinions opponent opponents
opportunities opportunity opposed opposite opposition ops opt optical optimal optimization optimize
optimized optimizer option optional options opts oq or ora oracle oral orange ord order ordered
ordering orders ordinary ore oregon org organ organic organisation organisations organise organised
organism organization organizational organizations organize organized organizing organs orient
orientation orig origin original originally origins orlando orleans orphan os oscar oslo oss ot
other others otherwise ou ought our ours ourselves out outbreak outcome outcomes outdated outdoor
outdoors outer outfit outlet outlets outline outlined outlook output outputs outs outside
outstanding ov oven over overall overcome overflow overhead overlap overlay overlook overnight
override overs overseas overview overwhelmed overwhelming ow own owned owner owners ownership owns
ox oxford oxygen oz pa paar pablo pac pace pacific pack package packages packaging packed packet
packets packing packs pad padding padre padres pads page pages pagination paid pain painful paint
painted painter painting paintings pair paired pairs pakistan pal palace pale palest palette paling
palm pam pan pandas pandemic pane panel panels pang panic pant pants pap papa paper papers par
paradise paragraph parallel param parameter parameters params parc parcel pare pared parent parents
parfait paris park parker parking parks parliament parole parse parsed parser parsing part partial
partially participant participants participate participated participating participation particle
particles particular particularly parties partition partly partner partners partnership partnerships
parts party pas pass passage passed passenger passengers passer passes passing passion passionate
passive passport password past pasta paste pastor pat patch patches patent path paths pathway
patience patient patients patio patrick patron pattern patterns paul paulo pause pay payable payday
paying payload payment payments pays pb pc pd pdf pe pea peace peaceful peak peaks pear pearl pedro
peek peer peers peg pele pem pen pena penal penalty pend pendant pending penis penn pennsylvania
pens pension pent people peoples pep pepper per perceived percent percentage perception perf perfect
perfection perfectly perform performance performances performed performing performs perhaps period
periods perm permanent permanently permission permissions permit permits permitted perry persist
persistent person persona personal personality personalized personally personnel persons perspective
perspectives pert peso pest pet peter peters petite petites petition pets pew pf pg ph
pharmaceutical pharmacy phase phases phenomenon phil philadelphia philip philippines philosophy
phoenix phone phones photo photograph photographer photographs photography photos php phrase phrases
phys physical physically physician physicians physics physique pi piano pic pick picked picking
pickle picks pickup pics pict picture pictures pid pie piece pieces pied pier pierre pies pig pile
pill pillow pills pilot pin pine ping pink pins pint pip pipe pipeline pipes pis piss pit pitch pits
pitt pitts pittsburgh pivot pixel pixels pizza pk pkg pl place placed placeholder placement placer
places placing plain plaint plan plane planes planet planned planning plans plant planted plants
plasma plastic plate plates platform platforms play played player players playground playing
playlist plays plaza pleasant please pleased pleasure plenty plot plots plug plugin plugins plumbing
plural plus pm po pocket pockets pod podcast poem poems poet poetry poi point pointed pointer
pointers pointing points poison poker pol poland polar pole police policies policy polish political
politicians politics poll polls pollution polo poly polyester polymer pom pond pool pools poor
poorly pop pope popular popularity populate population populations popup porch pork port portable
portal portfolio portion portions portland portrait ports portugal pos pose poses posit position
positioned positioning positions positive positively poss possess possession possibilities
possibility possible possibly post postal posted poster posterior posters posting posts pot potato
potatoes potent potential potentially potter pound pounds pour poverty pow powder power powered
powerful powers pp pr practical practically practice practices practicing practitioners praise pray
prayer prayers pre precious precise precisely precision pred predicate predict predicted prediction
predictions pref prefer preference preferences preferred prefix pregnancy pregnant preliminary
premier premiere premiers premises premium prep preparation prepare prepared preparing pres
prescribed prescription presence present presentation presentations presented presenting presents
preserve preserved president presidential press pressed pressing pressure prestigious pretend pretty
prev prevent preventing prevention prevents preview previous previously price priced prices pricing
pride priest prim primarily primary prime primer primitive prince princess principal principe
principle principles print printed printer printf printing println prints prior priorities priority
prise prison priv privacy private privilege prize prizes pro prob probability probable probably
probe problem problems proc procedure procedures proceed proceedings proceeds process processed
processes processing processor procure prod produce produced producer producers produces producing
product production productive productivity products prof profess profession professional
professionally professionals professor profile profiles profit profitable profits profound prog
program programme programmes programming programs progress progression progressive prohibited
project projected projection projects prolong prom prominent promise promised promises promising
promo promote promoted promotes promoting promotion promotional promotions prompt promptly pron
prone pronto proof prop propaganda proper properly properties property proportion proposal proposals
propose proposed proposition proprietary props pros prospect prospective prospects prosper prot
protect protected protecting protection protective protects protein proteins protest protests proto
protocol protocols prototype proud prove proved proven proves provide provided provider providers
provides providing province provincial provision provisions provo proximity proxy ps psych
psychological psychology pt pthread ptr pu pub public publication publications publicly publish
published publisher publishers publishing pueblo puerto pull pulled pulling pulse pump pumps pun
punch punct punishment punk punt pup pupils puppy purchase purchased purchases purchasing pure
purely purple purpose purposes pursue pursuing pursuit pus push pushed pushing put putin puts
putting puzzle pw px py python qa qo qq qt qu qua quad qual qualification qualifications qualified
qualify qualifying qualities quality quantities quantity quantum quarry quart quarter quarterback
quarto quasi que queen queens queries query quest question questions queue quick quicker quickly
quiet quietly quit quite quiz quot quote quoted quotes ra race races rachel racial racing racism
rack rad radar radiation radical radio radius rag rage rail railway rain raise raised raises raising
rally ram ramp ran ranch rand random randomly rang range ranges ranging rank ranked ranking rankings
ranks rap rapid rapidly rapport rare rarely rat rate rated rates rather rating ratings ratio
rational rats raw ray rb rc rd re reach reached reaches reaching react reaction reactions read
reader readers readily reading readings readonly reads ready real realise realistic reality realize
realized really realm rear reason reasonable reasonably reasoning reasons rebuild rec recall receipt
receive received receiver receives receiving recent recently reception receptor recipe recipes
recipient recipients recognised recognition recognize recognized recommend recommendation
recommendations recommended recommends record recorded recording recordings records recover
recovered recovery recreation recreational recruit recruiting recruitment rect rectangle recycled
recycling red redirect redis redistribute redistributions reduce reduced reduces reducing reduction
ref refer reference referenced references referral referred referring refers refined reflect
reflected reflection reflects reflex reform refresh refreshing refrigerator refuge refund refuse
refused reg regard regarded regarding regardless regards regex regime region regional regions
register registered registering registers registration registry regression regret regular regularly
regulated regulation regulations regulatory reign rein reis reject rejected rel relate related
relates relating relation relations relationship relationships relative relatively relatives relax
relaxation relaxed relaxing release released releases releasing relevant reliability reliable relief
relies religion religious reload rely rem remain remainder remained remaining remains remark
remarkable remarks remedy remember remembered remind reminded reminder reminds remodel remote
remotely removal remove removed removes removing renamed rend render rendered renderer rendering
renew renewable renovation renowned rent rental rentals renting reopen rep repair repairs repeat
repeated repeatedly replace replaced replacement replacing replica replied replies reply repo report
reported reportedly reporter reporters reporting reports repos repository repr represent
representation representative representatives represented representing represents reproduce
reproduction republic republican republicans reputable reputation req request requested requesting
requests require required requirement requirements requires requiring res rescue research
researchers researching reservation reservations reserve reserved reserves reset reside residence
resident residential residents residual resign resist resistance resistant resize resolution resolve
resolved resolver resort resource resources resp respect respected respective respectively
respiratory respond responded responding response responses responsibilities responsibility
responsible responsive rest restart restaurant restaurants restoration restore restored restrict
restricted restriction restrictions result resulted resulting results resume ret retail retailer
retailers retain retention retire retired retirement retreat retrieve retrieved retrofit retry
return returned returning returns retval reuse reuters rev reveal revealed revealing reveals revel
revenue revenues reverse reversed revert review reviewed reviewing reviews revised revision
revolution revolutionary reward rewarding rewards rewrite rg rgb rh rho rhs rhythm ri rib ribbon
rice rich richard richmond rick rico rid ride riders rides ridge ridiculous riding rig right rights
rigid rim ring rings rio rip rise rising risk risks ritual rival river rivers rm ro road roads rob
robert roberts robin robinson robot robots robust rock rocket rocks rod rode roger roku role roles
roll rolled roller rolling rolls rom roman romance romantic rome ron roof roofing rook room rooms
root roots rope rosa rose roses ross roster rot rotate rotation rotterdam rouge rough roughly
roulette round rounded rounds rout route router routes routine routines routing row rows roy royal
rr rs rt ru rub rubber ruby rue rug rule ruled rules ruling rum run runnable runner running runs
runtime rural rush russ russell russia russian rust rut rv rw rwanda rx ry ryan sa saber sac sacred
sacrifice sad safari safe safely safer safety sag saga said sail saint sake sal salad salary sale
sales salmon salon salt salvador sam same sample samples sampling samsung samuel san sana sanctions
sand sandwich sang sans santa santiago santos sap sara sarah sat satan satellite satisfaction
satisfied satisfy satisfying saturday sauce saudi sauna save saved saves saving savings saw say
saying says sb sc scala scalar scale scales scaling scam scan scanner scanning scar scared scary
scatter scenario scenarios scene scenes scent sched schedule scheduled scheduler schedules
scheduling schema scheme schemes scholar scholars scholarship scholarships school schools sci
science sciences scientific scientist scientists scope score scored scores scoring scot scotland
scott scottish scrap scratch screen screening screens screw script scripts scroll sculpt sd se sea
seal sealed seam seamless sean search searched searches searching season seasonal seasons seat
seating seats seattle sec second secondary seconds secret secretary secrets sect section sections
sector sectors secure secured securities security sed sedan see seed seeds seeing seek seeking seeks
seem seemed seemingly seems seen sees seg segment segments segue segundo seine sel select selected
selecting selection selections selector self sell seller sellers selling sells sem semester semi
seminar sen senate senator send sender sending sends senior seniors sensation sense senses sensible
sensitive sensitivity sensor sensors sent sentence sentences sentiment sep separate separated
separately separation separator sept september seq sequence sequences ser sera serial serializable
serialize serializer series serif serious seriously serum serve served server servers serves service
services serving ses session sessions set sets setting settings settle settled settlement setup
seven seventh sever several severe severity sewing sexual sf sg sh sha shade shades shadow shaft
shake shakespeare shall shallow shame shanghai shape shaped shapes share shared shares sharing sharp
she shed sheep sheer sheet sheets shelf shell shelter shelves sheriff shield shift shifted shifting
shifts shine ship shipment shipped shipping ships shirt shirts shock shocked shoe shoes shoot
shooting shop shoppers shopping shops shore short shorter shortly shorts shot shots should shoulder
shoulders shouldn show showcase showed shower showing shown shows shrink shuffle shut shutdown
shuttle shy si siblings sic sick sid side sidebar sides sierra sig sight sights sigma sign signal
signals signature signed significance significant significantly signing signs sil silence silent
silicone silk silly silva silver sim similar simon simple simpler simplicity simply simulation
simultaneously sin sina since sine sing singapore singer singh singing single singles singular sinh
sink sip sir sis sister sisters sit site sites sits sitting situ situated situation situations six
sixth size sized sizeof sizes sk sketch ski skill skilled skills skin skip skirt sky skype sl slag
slave sleek sleep sleeping sleeve sleeves slice slide slider slides sliding slight slightly slim
slip slope slot slots sloven slow slower slowly slug sm small smaller smallest smart smartphone
smartphones smell smile smiled smith smoke smoking smooth smoothly sn snack snacks snake snap
snapshot snow so soap sob soccer social society sock socket socks sod soda sodium sofa soft software
soil sol solar sold soldier soldiers sole solely solicit solid solo solution solutions solve solved
solving some somebody somehow someone something sometime sometimes somewhat somewhere son song songs
sons sony soon sooner sop sophisticated sore sorry sort sorted sortie sorting sorts sos sot sought
soul souls sound sounds soup sour source sources south southern soviet sow soy sp spa space spaces
spacing spacious spain spam span spanish spar spare spark spatial spawn speak speaker speakers
speaking speaks spec special specialist specialists specialize specialized specializes specially
specialty species specific specifically specification specifications specified specify specs
spectacular spectrum speech speed speeds spell spelling spend spending spent sphere spider spiel
spill spin spine spinner spinning spins spirit spirits spiritual spite splash split spoke spoken
spokes sponsor sponsored sponsors sport sporting sports spot spotify spots spotted spouse spray
spread spreading spring springs sprintf sprite sputnik spy sq sql sqlite sqrt squad square squares
sr src ss st stability stable stack stadium staff stage stages stainless stair stairs stake stamp
stan stand standard standards standing stands stanley star stark stars start started starter
starting starts startup stat state stated statement statements states static stating station
stations statistical statistics stats status stay stayed staying stays std stdout stead steady steal
steam steeds steel steep steering stein stem step stephen stepped steps steve steven stewart stick
sticks sticky stiff still stir stitch stmt stock stocks stolen stomach stone stones stood stop
stopped stopping stops storage store stored stores stories storing storm story str straight
straightforward strain strand strange stranger strap strategic strategies strategy straw strcpy
streak stream streaming streams street streets strength strengthen strengths stress stressed
stressful stretch strict strictly stride strike strikes striking string strings strip strips strive
strlen stroke strong stronger strongest strongly struck struct structural structure structured
structures struggle struggled struggles struggling stu stub stuck stud student students studied
studies studio studios study studying stuff stunning stupid sturdy sty style styled styles styling
stylish su sub subject subjects submission submit submitted submitting subprocess subs subscribe
subscriber subscribers subscription subsequent subsequently subset subst substance substances
substantial substantially substitute substr subtle succeed succeeded success successful successfully
such suck sudden suddenly sue suffer suffered suffering sufficient suffix sugar suggest suggested
suggesting suggestion suggestions suggests suicide suit suitable suite suited suites suits sulla sum
summary summer summit sun sunday sung sunlight sunny sunset sup super superb superior supervision
supervisor supplement supplements supplied supplier suppliers supplies supply supplying support
supported supporters supporting supportive supports suppose supposed suppress supreme sure surely
surf surface surfaces surge surgery surgical surprise surprised surprises surprising surprisingly
surround surrounded surrounding surroundings surveillance survey surveys survival survive survived
susan suspect suspected suspend suspended suspension sustain sustainable sustained sv svg sw swap
sweat sweden swedish sweep sweet swift swim swimming swing swiss switch switched switches switching
switzerland sword sx sy sydney sym symbol symbols symptom symptoms syn sync synchronized syndrome
syntax synthesis synthetic syria sys system systems sz ta tab table tables tablet tablets tabs tack
tackle tact tactics tad tag tagged tags tail tailored taiwan take taken takes taking tale talent
talented talents tales talk talked talking talks tall taller tam tamil tamp tampa tan tang tank
tanks tanzania tao tap tape tar tare target targeted targeting targets tart task tasks tass taste
tastes tasting tasty tat tats tattoo taught tax taxes taxi taylor tb tc td te tea teach teacher
teachers teaches teaching team teams tear tears teas tech technical technically technicians
technique techniques technological technologies technology ted tee teen teenager teens teeth tel
telephone television tell telling tells temp temper temperature temperatures template templates
temple tempo temporal temporarily temporary temps tempt ten tenant tend tendency tender tends
tennessee tennis tens tension tensor tent ter term terminal terminate terms terr terra terrace
terrain terrible terrific territory terror terrorist terry terse tesla test testament tested tester
testimony testing testosterone tests tet tex texas text texts texture textures tf th thai thailand
than thank thankful thanks thanksgiving that the theater theatre thee theft their them theme themes
themselves then theoretical theories theory therapeutic therapist therapy there thereby therefore
thereof thermal these thesis theta they thick thickness thin thing things think thinking thinks
third thirty this tho thomas thompson thor thorough thoroughly those though thought thoughtful
thoughts thous thousand thousands thread threads threat threatened threatening threats three
threshold threw thrilled thrive throat through throughout throw throwing thrown throws thru thu
thumb thumbnail thunder thursday thus thy ti tick ticket tickets tid tie tied tier ties tiger tight
tik til tile tiles till tim time timed timeline timely timeout timer times timestamp timing tin ting
tint tiny tip tips tire tired tires tissue tissues tit titan title titled titles titular tj tk tl tm
tmp to toast tobacco toc tod today todd todo todos toe toes tog together toggle toilet tok token
tokens tokyo told tolerance toll tom tomato tomatoes tomb tome tomorrow ton tone tones tong tongue
tonight tons tony too took tool toolbar tools tooth top topic topics tops tor torch torn toronto
torrent tort toss tot total totally touch touchdown touched touches touching tough tour tourism
tourist tourists tournament tours tout tow toward towards towel towels tower town towns toxic toy
toyota toys tp tr trace traces track tracked tracker tracking tracks tract trade traded trademark
trademarks trader traders trades trading tradition traditional traditions traffic tragedy trail
trailer trailing trails train trained trainer training trains trait traits tram tran tranquil trans
transaction transactions transfer transferred transfers transform transformation transformed
transformer transforms transit transition transitions translate translated translation transmission
transmit transmitted transparency transparent transplant transport transportation trap trapped trash
trauma travail travel traveled travelers traveling travelling travels tray treasure treat treated
treating treatment treatments treats tree trees trek tremendous trend trends trendy trial trials
triangle tribunal tribute trick tricks tricky tried tries trigger triggered triggers trim trio trip
triple trips troops tropical trouble troubles truck trucks true truly trump trust trusted
trustworthy truth try trying ts tse tt tu tub tube tubes tuesday tug tuition tumor tun tune tuned
tunnel tuple turk turkey turkish turn turned turning turns tut tutor tutorial tutorials tv tw twee
tweet tweets twelve twenty twice twin twist twitter two tx txt ty tyler typ type typed typedef
typename typeof types typical typically typing ua ub ubuntu ud uf ug uganda ugly uh ui uid uint uk
ukraine ul ull ultimate ultimately ultra um un unable unavailable unc uncertain uncertainty unclear
uncomfortable uncover undefined under undergo undergraduate underground underlying underneath
understand understanding understands understood undo undoubtedly unemployment unexpected unfair
unfortunately uni uniform union unique unit united units unittest unity universal universe
universities university unknown unless unlike unlikely unlimited unlock unnecessary unprecedented
unsafe unset unsigned unsupported until unto unused unusual unwanted up upcoming update updated
updates updating upgrade upgraded upgrades upload uploaded upon upper ups upset ur urban urge urgent
uri urine url us usa usage usb use used useful useless user username users uses using usize uso
usual usually ut utah utf util utilities utility utilize utilized utilizing utils utter uu uuid uv
uw uy uz va vacation vaccination vaccine vaccines vacuum vain val vale valencia valentine valid
validate validated validation validator validity valley valor vals valuable value valued values
valve vamp van vancouver vanilla vapor var variable variables variant variants variation variations
varied varies varieties variety various vars vary varying vast vat vault vc ve vec vector vectors
vegan vegas vegetable vegetables vehicle vehicles velocity vend vender vendor vendors venezuela vent
venture venue venues ver vera verb verbal verbose verde verification verified verify versatile verse
version versions versus vertex vertical vertices very vessel vessels vest vet veteran veterans vi
via viable vibrant vic vice victim victims victor victoria victory vid video videos vie vietnam view
viewed viewer viewers viewing views vigil villa village villages vim vin vincent vine vintage vinyl
viol violation violations violence violent viral virgin virginia virtual virtually virus viruses
visa visibility visible vision visit visited visiting visitor visitors visits vista visual vital
vitamin vitamins vite viz vl vlad vm vo vocabulary vocal voice voices void vol volatile volkswagen
volt volta voltage volume volumes voluntary volunteer volunteers von vote voted voters votes voting
voyage vp vr vs vu vue vulnerable vy vz wa wad wag wage wager wages waist wait waited waiting wake
wald wales walk walked walker walking walks wall wallet wallpaper walls walmart walter wan wand
wanda wang wanna want wanted wanting wants war ward wardrobe ware warehouse warm warming warmth warn
warned warner warning warnings warrant warranty warren wars was wash washed washing washington wasn
waste watch watched watches watching water waterproof waters watson wave waves wax way wayne ways wc
we weak weakness wealth wealthy weapon weapons wear wearing weather web webcam webinar website
websites wed wedding weddings wednesday week weekend weekends weekly weeks weer wei weigh weight
weights weird welcome welcomed welcoming welfare well welt wen went were weren west western wet wh
what whatever whats wheat wheel wheels when whenever where whereas wherein wherever whether which
while whilst whisk whit white whites who whole wholesale whom whose why wi wide widely wider
widespread widget width wife wifi wiki wikipedia wild wilde wildlife will william williams willing
wilson wilt win wind window windows winds wine wines wing wings wink winner winners winning wins
winter wipe wire wireless wires wiring wis wisconsin wisdom wise wish wishes wit with withdraw
withdrawal within without witness witnessed wo wok wolf woman women won wonder wondered wonderful
wondering wonders wont wood wooden woods wool word words wore work worked worker workers workflow
workforce working workout workplace works workshop workshops workspace world worlds worldwide worm
worn worried worries worry worse worship worst worth worthy would wouldn wound wow wp wr wrap
wrapped wrapper wrest wright wrist writ write writer writers writes writing written wrong wrote ws
wu www wx wy xa xe xhr xi xml xmlns xo xs xt xu xx xy ya yahoo yak yam yang yank yap yard yards yarn
yay ye yeah year yearly years yellow yen yes yesterday yet yi yield yields yin ym yn yo yoga yon
york you young younger your yours yourself youth youtube yr yu yw yy za zap ze zealand zen zero
zeros zg zi zinc zip zit zm zn zone zones zoo zoom zu zw zz
"""

CAPITALS = """\
AA AB ABC ABI AC ACCESS ACE ACL ACTION ACTIVE AD ADD ADDR ADDRESS ADMIN AE AES AF AFTER AG AGE AH AI
AK ALIGN ALL ALLOC ALLOW ALSO ALTER AM AMD AN AND ANSI ANY AP API APP APT AQ AR ARCH ARE ARG ARGS
ARISING ARM ARP ARRAY AS ASCII ASN AST AT ATOM ATTRIBUTE AUTHOR AUTHORS AUTO AV AWS BA BACK BAD BAR
BASE BASIS BB BC BD BE BEFORE BEGIN BEST BF BG BIG BIO BIOS BIT BITS BLOCK BMP BODY BOM BOOL BR
BREAK BS BSD BUFFER BUG BUILD BUS BUSINESS BUT BV BY BYTE BZ CA CACHE CAD CALL CAN CAP CASE CAST CB
CBC CC CD CDN CE CEO CERT CF CGI CHANGE CHAR CHARACTER CHECK CHILD CI CID CLASS CLI CLIENT CLOSE
CLOSED CLOUD CM CMD CMP CMS CN CO CODE COLOR COM COMMAND COMMENT COMP COMPLETE CONDITIONS CONFIG
CONNECT CONNECTION CONSEQUENTIAL CONST CONTENT CONTRACT CONTROL COPY COPYING COPYRIGHT CORE COUNT CP
CPU CR CRC CREATE CS CSS CSV CT CTRL CTX CTYPE CURRENT CUSTOM CVS DA DAMAGE DAMAGES DATA DATABASE
DATE DB DC DD DE DEBUG DEC DEFAULT DEFINE DELETE DEP DER DES DESCRIPTION DEVICE DF DH DHCP DI DIR
DIRECT DIRECTORY DISPLAY DLL DM DN DNS DO DOES DOM DOMAIN DOS DOT DOUBLE DOWN DP DR DROP DS DST DT
DTD DU DV DVD DW EA EB EC ED EDITOR EE EF EINVAL EL ELEMENT ELF EMPTY EN ENABLE END ENTITY ENTRY ENV
EOF ER ERR ERROR ES ESC ESP ETH EU EVEN EVENT EX EXISTS EXIT EXPORT EXPRESS EXT EXTRA FA FAIL FAILED
FAILURE FALSE FAQ FAST FB FC FD FE FEATURE FF FFFF FI FIELD FIFO FILE FILES FILTER FIND FIRST
FITNESS FIX FIXME FLAG FLAGS FLOAT FMT FOR FORM FORMAT FOUND FP FR FRAME FREE FROM FS FT FTP FULL
FUNCTION FUNCTIONS GB GC GCC GDP GENERAL GENERATED GET GH GIF GL GLOBAL GMT GN GNU GO GOODS GP GPL
GPS GPT GPU GROUP GT GTK GUI GW HA HANDLE HAS HASH HAVE HB HE HEAD HEADER HELP HH HIGH HISTORY
HOLDERS HOME HOST HP HR HT HTML HTTP HTTPS HUGE HW IA IAM IBM ICU ID IDE IE IEC IEEE IF IGNORE II
III IL IM IMAGE IMG IMPLIED IMPORT IN INC INCIDENTAL INCLUDE INCLUDING INDEX INDIRECT INET INFO INIT
INITIAL INNER INPUT INSERT INSTALL INSTANCE INT INTEGER INTERNAL INTO INVALID IO IP IPC IPV IQ IR
IRC IS ISC ISO IT ITEM IV IX JA JOB JOIN JP JPEG JS JSON JVM KB KDE KEEP KEY KIND KK KNOWN KR KU KY
LA LABEL LANG LANGUAGE LARGE LAST LC LD LDAP LEFT LEN LENGTH LESS LETTER LEVEL LF LG LGPL LI
LIABILITY LIABLE LIB LICENSE LIMIT LIMITED LINE LINES LINK LIST LL LLVM LM LO LOAD LOCAL LOCATION
LOCK LOG LONG LOSS LOST LOW LP LR LS LT LX MA MAC MACHINE MAIN MAKE MAP MASTER MAX MAY MB MC MD ME
MEMBER MEMORY MERCHANTABILITY MESSAGE META METHOD MH MIME MIN MIT MM MODE MODEL MODULE MORE MP MR MS
MSG MT MU MUST MV MX MY NA NAME NAT NB NBA NE NEGLIGENCE NET NETWORK NEVER NEW NEWS NEXT NI NJ NO
NODE NON NONE NORMAL NOT NOTE NOTES NOTICE NR NS NSS NT NULL NUM NUMBER NVIDIA OBJECT OE OF OFF
OFFSET OID OK OLD ON ONE ONLY OOM OP OPEN OPT OPTION OPTIONAL OPTIONS OR ORDER OS OSS OSX OTHER
OTHERWISE OUT OUTPUT OWNER PA PACKAGE PAM PAP PARAM PARAMETERS PARTICULAR PASSWORD PATCH PATH PC PD
PDF PE PEM PER PG PHP PI PID PK PL PLATFORM PM PNG PO POINT POLICY POP PORT POS POSSIBILITY POST
POWER PP PPC PR PRE PREFIX PRIVATE PROFILE PROFITS PROGRAM PROJECT PROTO PROVIDED PS PST PTR PUBLIC
PURPOSE PUT PV PY QA QL QQ QR QU QUERY RAM RANDOM RANGE RAW RB RD RE READ README RED REF REFERENCE
REFERENCES REGION RELEASE REMOVE REPORT REQUEST REQUIRED RES RESERVED RESOURCE RESPONSE REST RET
RETURN RF RFC RIGHT RL RN RO ROLE ROM ROOT RPC RPM RR RS RSA RTC RUN RV RW RX SA SAFE SC SCO SCRIPT
SD SDK SE SEARCH SECRET SECTION SELECT SEND SEP SERIAL SERVER SERVICE SESSION SET SH SHA SHALL SHIFT
SHORT SHOULD SIGNAL SIMD SIMPLE SINGLE SIZE SK SM SMALL SMB SMTP SO SOCK SOCKET SOFTWARE SOURCE SP
SPACE SPDX SPEC SPECIAL SQ SQL SR SS SSD SSE SSH SSL ST STACK STANDARD START STATE STATIC STATUS
STDERR STOP STORE STR STREAM STRICT STRING STYLE SUBSTITUTE SUCCESS SUCH SUPPORTED SVG SVN SYMBOL
SYS SYSTEM SZ TAB TABLE TAG TARGET TC TCP TD TEMP TEMPLATE TERM TEST TEXT TF THAN THAT THE THEIR
THEORY THIS THREAD THROW TIME TITLE TJ TL TLS TM TO TODO TOKEN TOO TOOL TORT TP TPM TR TRACE TRUE
TRY TS TT TTL TTY TU TV TW TXT TYPE TYPES TZ UB UC UCS UDP UI UID UK UL UNDER UNIQUE UNIT UNIX
UNKNOWN UP UPDATE UR URI URL US USA USB USE USED USER UTC UTF UUID UV VA VAL VALUE VALUES VAR
VARIABLES VC VE VERIFY VERSION VG VI VIEW VM VOID VP VPN VR VS VT WAIT WARN WARNING WARRANTIES
WARRANTY WAY WCHAR WHAT WHEN WHERE WHETHER WHO WIDTH WILL WIN WINDOW WINDOWS WITH WITHOUT WORD WORDS
WR WRITE WS WWW WX XHTML XI XL XML XOR XS XX XXXX XYZ XZ YAML YES YOU YOUR YW YY YYYY ZERO ZIP ZX
"""

CHARACTERS = """\
一丁七万丈三上下不与专且世丘业东丝两严並丨个中丰串临丶丸丹为主丽举乃久么义之乌乎乐乔乗乘乙九也习乡书
买乱乳乾亂了予争事二于亏云互五井亚些亞亡交亦产亩享京亭亮亲人亿什仁仅今介仍从仓仔仕他付仙代令以仪们仲
件价任份企伊伍伏休众优伙会伝伟传伤伦伯估伴伸似但位低住佐体何余佛作你佣佩佳使來例供依侠価侣侧侯侵便係
促俄俊俗保信修俱俺個倍們倒候借倡値倫债值倾假偏做停健側偶偷偿傅備储催傳傷働像僕價億優儿允元兄充兆先光
克免児兑兒兔党入內全兩八公六兰共关兴兵其具典养兼兽内円冈冊册再冒写军农冠冬冰冲决况冷冻净准凉凌减凝几
凡凤処凭凯凰凸出击函刀分切刊刑划列刘则刚创初删判別利别到制刷券刺刻剂則削前剑剤剧剩剪副割創劇力办功加
务动助努励劲劳効势勇勒動務勝募勢勤勿包化北匙匹区医區十千升午半华协卒卓協单卖南単博占卡卢卧卫印危即却
卷卸厂厅历厉压厕厘厚原厦厨去县参參又叉及友双反収发叔取受变口古句另只叫召可台史右叶号司吃各合吉吊同名
后吐向吕吗君吞吟否吧吨含听启吴吸吹吻吾呀呈告员呢周味呵呻呼命咋和咖咨咪品哈响員哥哦哪哭哲唐售唯唱商啊
問啥啦啪善喊喘喜喝單営喷嗎嗯嘉嘎嘛嘴嘿噜器四回因团団园困囲図围固国图圆圈國園圖團土圣在地圳场圾址坂均
坊坏坐坑块坚坛坝坡坦坪垃型埃城埔域培基堂堡報場堵塑塔塘塞填境墓増墙增墨壁壇士壮声売处备変复夏夕外多夜
够夢大天太夫央失头夹夺奇奈奉奋奏契奔奖套奥女奴奶奷奸她好如妇妈妓妖妙妞妮妹妻姆始姐姑姓委姚姜姨姿威娃
娇娘娛娜娱婆婚婦婷媒媳媽嫁嫂嫌嫩嬉子孔孕字存孙孟季孤学孩學宁它宅宇守安宋完宏宗官定宜宝实実宠审客宣室
宫宮害宴家容宽宾宿寄密富寒寓寝察實寨寫寶寸对寺寻导対寿封専射将將專尊尋對導小少尔尖尚尝尤就尸尺尼尽尾
尿局屁层居届屋屏展属履屯山岁岗岛岡岩岭岳岸峡峰島崎川州巡工左巧巨差己已巴巻币市布帅师希帐帖帝带師席帮
帯帰帳帶常帽幅幕干平年并幸幻幼幽广広庄庆床序库应底店府废度座庫庭康廉廣延廷建开异弃弄弊式引弗弘弟张弱
張強弹强归当录形彦彩彰影役彻彼往征径待很律後徐徒得從御復循微徳徴德徽心必忆忍志忘忙応忠忧快念忽怀态怎
怒怕怖思怡急性怪总恋恐恒恢恩息恶悉悟悠患悦您悪悲情惊惑惜惠惨惯想意愛感愿慈態慎慢慧慰懂應戀戏成我戒或
战戦截戰戲戴戶户戸戻房所手才扎扑扒打払托扣执扩扫扬扰扱扶批找承技把抓投抗折抜択抢护报披抱抵押抽担拆拉
拍拒拓拔拖拘招拜拟拥拨择括拳拼拾拿持挂指按挑挡挣挥振挺捕损换据捷掃授掉掌排掛採探接控推措掲揉描提插換
握揭援搏搜搞搬搭携摄摆摇摘摩摸撃撑撒撞撤播撮撸擊操據擦攝支收改攻放政故效敌敏救敗教敢散敦敬数整敵數文
斗料斤断斯新方於施旁旅旋族旗无既日旦旧旨早旬旭时旺昂昆昌明易昔星映春昨昭是昼显時晋晒晓晚晨普景晰晴晶
智暂暇暑暖暗暨暮暴曜曝曰曲更書曹曼曾替最會月有朋服朗望朝期木未末本札术朱机杀杂权杆杉李杏材村杜束条来
杨杭杯杰東松板极构析林枚果枝枪架柄柏某染柔柜查柱柳柴査标栋栏树栗校株样核根格桂桃框案桌桑档桥桶梁梅條
梦梨梯械检棋棒棚森植椒検楚業極楼楽概榜構様槽樂樓標模樣横橋機橹橾權欠次欢欣欧欲欺款歉歌歓歡止正此步武
歩歲歳歴歷死殊残殖段殺毁毅母毎每毒比毕毛毫氏民气気氣氧水永汁求汇汉汗江池污汤決汽沁沃沈沉沒沖沙沟没沢
沪河油治沿況泄泉泊法泛泡波泥注泰泳泽洁洋洗洛洞津洪洲活派流浅浆测济浓浜浦浩浪浮浴海消涉涓涙涛润涨涩涯
液涵淘淡淫深混添清済渐減渠渡温測港游湖湘湾湿満源準溪滋滑滚满滤滨滴滿漂漏演漢漫潔潘潜潭潮澡澳激灣火灭
灯灰灵灾炉炎炒炮炸点為炼烈烟烦烧热無焦然焼煌煙煤照熊熟熱燃燕營爆爰爱爵父爷爸爽片版牌牙牛牡牢牧物牲特
犬犯状狂狐狗狠独狸狼猎猛猜猪猫献猴獸玄率玉王玖玛玩环现玲玻珍珠班現球理琪琳琴瑞璃環瓜瓣瓦瓶甘甚甜生產
産用田由甲申电男甸町画畅界留略番畫異當疆疑疗疫疯疲疼疾病症痛療癌発登發白百的皆皇皮盆盈益盐监盒盖盗盘
盛盟監盤目直相盾省眉看県真眠眼着睛睡督瞬知矩短石矿码砂研砖破础硕硬确碍碎碑碰確碼磁磨示礼社祖祝神祥票
祭禁福禧离禽禾秀私秋种科秒秘租秦积称移程稍税種稱稳稿穆積穴究空穿突窍窗窝窥立站竞竟章童端競竹笑笔符第
筆等筋筑答策筛筹签简算管箭箱節篇築篮簡籍米类粉粒粗粤粮精糕糖系紀約紅納純紙級素索紧紫累細紹終組経結絡
給統絲絶經続維網総緒線締編縄縮總績繁續纠红约级纪纬纯纲纳纵纷纸纹纽线练组细织终绍经绑结绕绘给络绝统继
绩绪续维综绿缓编缘缩缴缺网罗罚罩罪置署羅羊美羞群義羽翁翌習翔翠翻翼耀老考者而耐耗耳聊职联聘聚聞聪聯聲
職肃肉肌肖股肤肥肩肯育肺胃胆背胎胖胜胞胡胶胸能脂脑脚脱脸腐腕腰腳腹腾腿膜膽臀臣自臭至致臺與興舍舒舔舗
舞舟航般舰船艇良色艳艷艺艾节芝芬芯花芳芸芽苍苏苑苗若苦英范茶茸草荐荒荡荣药荷莉莎莓莞莫莱莲获菌菜華菲
萄萌萝营萨萬落葉著葛葡董蒂蒙蒲蓝蔡蕉蕩薄薦薪薬藏藝藤虎虐虑處虚號虫虹虽蛇蛋蛛蜂蜜蝶融血行術街衛衡衣补
表袋袖袜被袭裁裂装裏裕裙補裝裤裸製襪西要覆見規視覚覧親観覽觀见观规视览觉角解触言訂計訊討記訪設許訳診
証評詞詢試話詳誉誌認誘語說説読誰課調談請論講謝證識警議護讀變讓计订认讨让训议讯记讲许论设访诀证评识诈
诉诊词译试诗诚话询该详语误诱说请诸诺读课谁调谈谋谓谜谢谨谱谷豆豊象豪豹貌負財貨販責買貸費貼賀資賞質購
贝负贡财责贤败账货质贫购贯贴贵贷贸费赁资赋赌赏赔赖赚赛赞赠赢赤赫走赴赵赶起超越趋趣足跃跌跑距跟跨路跳
践踏踩踪躁身車軍転軽較載輪輯輸轉车轨轩转轮软轴轻载较辅辆辉辑输辖辛辞辣辦辨辰辱農边辺込辽达迁迅过迈迎
运近返还这进远违连迟迪迫述迷迹追退送适逃逆选逊透逐递途這通速造連週進逸逻逼遂遇遊運遍過道達違遗遠遣遥
適遭遮遵選避邀還邑那邦邪邮邻郎郑部郭郵都配酒酷酸醉醒醫采释里重野量金鉄鉴銀錄錯録鍵鏈鐘鑫针钟钢钥钮钱
钻铁铃铜铭银铺链销锁锅锋锐错锡锦键镇镜長长門閉開間関閱閲關门闪闭问闲间闻阁阅队阪防阳阴阵阶阻阿附际陆
陈陌降限院除险陪陰陵陶陷険陽隆隊階随隐隔際障难雀雄雅集雑雕雙雞離難雨雪零雷電需震霍霞露霸青靖静非靠面
革鞋韓韩音響頁頂頃項順須預領頭頻頼題額顔願類页顶项顺须顾顿预领频颖颗题颜额風风飛飞食飯飲養餐館饭饮饰
馆馈首香馨馬駅験驗马驰驱驶驻驾验骑骗骚骤骨骰體高鬼魂魅魏魔魚鱼鲁鲜鲸鳥鸟鸡鸣鸭鸿鹅鹏鹰鹿麗麟麦麻麼黃
黄黎黑黒默點鼎鼓鼠鼻齐齢龄龍龙
"""

PAIRS = """\
%的 (图 (日 (水 “一 “三 “不 “两 “五 “双 “四 “大 “小 ”为 ”和 ”的 ”等
、一 、不 、中 、人 、公 、多 、大 、小 、新 、更 、有 、本 、水 、电 、第 、自 、西
、高 。一 。不 。从 。他 。但 。同 。在 。如 。当 。我 。据 。有 。本 。而 。这 》中
》和 》的 》第 一下 一个 一些 一区 一句 一天 一定 一家 一年 一期 一本 一样 一次 一步
一点 一直 一种 一级 一致 一般 一起 一路 一道 丁香 万个 万人 万元 万能 丈夫 三个 三区
三星 三级 上一 上下 上传 上午 上市 上海 上涨 上的 上线 上述 下一 下午 下来 下載 下载
下降 下面 不上 不中 不了 不仅 不会 不停 不像 不到 不可 不同 不好 不少 不开 不得 不断
不是 不用 不给 不能 不要 不起 不足 不过 不错 不限 与你 专业 专家 专项 专题 世界 世纪
业内 业务 东京 东北 东方 东西 两个 严格 严重 个人 个月 中了 中古 中国 中央 中奖 中心
中文 中王 中的 中过 丰富 为了 为何 为空 主义 主人 主任 主体 主动 主席 主持 主管 主要
主页 主题 举办 举行 久久 之一 之前 之后 之外 之家 之间 也是 书记 乱码 了一 了吗 了解
事业 事件 事务 事实 事情 事故 事项 于是 云南 互动 五星 五月 亚洲 交换 交換 交易 交流
交通 产业 产品 产权 产生 京都 人与 人为 人人 人体 人口 人员 人在 人士 人大 人工 人成
人才 人数 人格 人民 人物 人生 人的 亿元 什么 今天 今年 今日 今晚 介绍 他们 他的 他说
付款 代引 代理 代码 代表 令人 以上 以下 以内 以前 以及 以后 以来 价值 价格 任何 任务
企业 优势 优化 优惠 优秀 伙伴 会上 会员 会议 传奇 传播 传统 伦理 但是 位置 住宅 住房
体现 体系 体育 体验 余额 作为 作品 作弊 作文 作用 作者 你好 你懂 你的 使命 使用 來源
例如 供应 依据 侵犯 便利 促进 保存 保护 保持 保证 保险 保障 信息 信用 信誉 修改 值得
假的 做人 做到 做好 停止 停车 健康 偷偷 儿童 允许 元素 充值 充分 先生 先进 先锋 免费
兑换 兑现 党员 入住 入口 內容 全国 全天 全文 全民 全球 全部 全面 公交 公众 公共 公务
公司 公告 公布 公平 公开 公式 公斤 公益 公里 六月 共产 共享 共同 共和 共有 关于 关注
关系 关联 关键 关闭 兴趣 其中 其他 其它 其实 其次 具体 具有 养老 内容 内幕 内部 再次
军事 农业 农村 冠军 决定 冻结 准备 准确 凌晨 减少 几个 几十 几年 几点 凤凰 出了 出去
出口 出台 出售 出处 出来 出版 出现 出生 出的 出租 函数 分享 分别 分析 分类 分钟 分钱
分類 分页 列表 创业 创建 创新 创造 初心 删除 判断 利润 利用 利益 别人 到了 到底 制作
制定 制度 制造 刷新 刺激 前三 前年 剧情 力量 办公 办法 功能 加入 加坡 加工 加强 加载
动作 动力 动态 动漫 动物 动画 动车 助手 努力 劳动 動畫 包含 包括 包装 北京 区别 区域
医保 医学 医生 医疗 医院 匿名 十一 十三 十九 十二 十五 十八 十分 十四 十大 千万 升级
午夜 半年 协会 协议 协调 单位 南京 博士 博客 卫生 印度 危险 即可 即时 厂家 历史 压力
厕所 厘米 原则 原创 原因 厨房 去了 去哪 去年 参与 参加 参数 参考 及时 友情 双方 反馈
发动 发展 发布 发挥 发现 发生 发行 发表 发财 发送 取得 取消 受到 变化 变态 变量 口诀
句话 另一 另外 另类 只是 只有 只能 可以 可信 可是 可能 可靠 台湾 号码 司机 司法 各种
合作 合同 合法 合理 同志 同时 同期 同步 同行 名前 名单 名字 名称 名稱 后一 后台 后来
后的 否则 启动 告诉 员工 周年 周期 和值 和尚 和平 咨询 品牌 品质 哈哈 哈尔 响应 哥哥
哪个 哪些 哪里 售价 唯一 商业 商务 商品 問題 喜欢 四川 回事 回复 回应 回来 回答 因为
因此 因素 团队 困难 固定 国产 国内 国外 国家 国语 国际 图库 图片 土地 在人 在哪 在线
地下 地主 地产 地区 地图 地址 地域 地方 地点 坚定 坚持 垃圾 型号 城市 培养 培训 基地
基层 基本 基础 基金 填写 增加 增强 增长 声明 声音 处理 处罚 备注 备用 复制 复杂 外交
外围 外国 多个 多久 多人 多少 多年 多数 夜夜 大众 大会 大利 大厅 大发 大型 大学 大家
大小 大师 大战 大片 大的 大神 大道 大量 大陆 天下 天地 天堂 天天 天气 天津 天然 天空
太阳 夫妻 失败 头像 奋斗 奔驰 奖励 奖金 套路 套餐 女人 女士 女子 女孩 女性 女生 好了
好友 好吗 好多 好的 好运 如下 如今 如何 如果 如此 妈妈 妹妹 姐妹 姐姐 姑娘 姓名 娱乐
媒体 子的 字体 字幕 字段 字符 存在 季度 学习 学历 学校 学生 学院 孩子 安全 安卓 安心
安排 安装 完全 完善 完成 完整 官方 官网 定义 定位 宝宝 实体 实例 实力 实施 实时 实现
实行 实践 实际 实验 审批 审核 客户 客服 宣传 宣布 家具 家庭 家的 容易 容量 密码 对于
对应 对此 对白 对象 寻找 导师 导演 导致 导航 将在 導航 小姐 小学 小时 小说 少女 少年
尤其 就业 就在 就是 尺寸 尺度 尼斯 居民 展开 展示 属于 属性 山东 山区 岁的 岗位 岛国
州市 工业 工作 工具 工程 工资 左右 巨大 已有 已经 巴黎 市场 布局 希望 帐号 帖子 帮助
幕后 平台 平均 平方 年代 年份 年前 年底 年度 年月 年来 年的 年至 年轻 年龄 幸福 幸运
幻想 广东 广告 广播 库存 应用 应该 建立 建筑 建议 建设 开发 开启 开始 开展 开心 开放
开的 异常 引用 强化 强调 当前 当地 当天 当然 录像 形式 形成 彩票 影响 影视 影院 待遇
很多 很好 律师 得到 循环 微信 微博 微软 德国 心理 必要 必须 快乐 快捷 快速 怎么 怎样
思想 性能 性质 总体 总结 总统 总部 恢复 悠悠 患者 您的 情侣 情况 想到 想着 意义 意味
意思 意见 意识 感染 感觉 感谢 成为 成交 成功 成员 成年 成本 成果 成熟 成立 成绩 成都
成长 我们 我們 我国 我是 我的 我要 或者 战争 战略 截图 截止 截至 所以 所在 所属 所得
所有 所谓 手机 手续 才能 打一 打印 打开 打造 执行 扩大 扫描 扫码 批准 找到 承担 技巧
技术 技能 投入 投稿 投诉 投资 护士 护理 报价 报名 报告 报警 报道 拉特 拍拍 招生 招聘
拥有 拿大 持续 指出 指南 指定 指导 指数 指标 按照 按钮 挑战 挣钱 捕鱼 授权 排列 排名
排序 探索 接受 接口 控制 推出 推动 推广 推荐 推进 措施 描述 提交 提供 提出 提前 提升
提现 提示 提醒 提高 插件 搜尋 搜索 摄影 摘要 播放 操作 支付 支持 收入 收到 收益 收藏
收费 改变 改善 改革 攻击 攻略 放心 政府 政治 政策 故事 效果 效率 救世 教学 教师 教授
教材 教程 教育 数字 数学 数据 数组 数量 整个 整体 整数 整理 文件 文化 文字 文学 文明
文本 文章 料理 新人 新增 新版 新疆 新的 新闻 方便 方向 方式 方案 方法 方面 施工 旅游
旅行 旗下 无人 无法 无线 无限 无需 日在 日志 日报 日日 日時 日晚 日期 日本 日起 日韩
早点 早餐 时代 时候 时报 时时 时期 时间 明星 明显 明确 星期 春节 昨天 昨日 是一 是不
是假 是否 是哪 是在 是真 是谁 昵称 显示 時間 晚上 普通 智慧 智能 暂停 曝光 更加 更多
更新 最低 最佳 最后 最多 最大 最好 最後 最快 最新 最终 最近 最长 最高 月份 月底 有人
有关 有所 有效 有限 朋克 朋友 服务 服務 期待 期间 期限 未来 未知 未经 本人 本文 本科
本金 机会 机关 机制 机器 机场 机构 机械 权益 权限 材料 条件 来也 来了 来到 来源 来的
来看 来自 来说 来越 杭州 查看 查询 标准 标签 标题 树林 校园 核心 根据 格式 案件 案例
梦想 检查 检测 森林 植物 概率 概要 模块 模型 模式 模拟 模板 次数 欢乐 欢迎 欧洲 欧美
歌曲 歌词 正在 正常 正式 正文 正确 正规 此前 此外 此次 步骤 武汉 死亡 死人 每天 每日
比例 比如 比赛 比較 比较 毕业 毫米 民主 民族 水平 水果 永久 江西 污染 汽车 沒有 没人
没有 河北 河南 治疗 法人 法国 法律 法规 法院 注册 注意 注明 活动 流水 流程 测试 浏览
浙江 海南 海外 消息 消费 消防 涉及 深入 深圳 深爱 添加 渠道 游客 游戏 湖北 湖南 源码
满意 满足 漂亮 漏洞 演员 漫画 澳门 点击 点评 点赞 热点 热门 然后 然而 照片 爱情 爱的
爸爸 版本 版权 特别 特殊 特点 特色 犯罪 状态 狐狸 狠狠 狼人 猛烈 玩吗 玩家 玩的 环保
环境 现代 现在 现场 现实 现金 現在 球队 理念 理由 理解 理论 甚至 生产 生命 生态 生成
生日 生活 用了 用于 用品 用户 用途 由于 申请 电子 电影 电脑 电视 电话 男人 男女 男子
男性 画像 留下 留言 疫情 疯狂 疾病 病例 病毒 登入 登录 登记 登陆 白菜 百万 百分 百度
百科 的一 的不 的人 的吗 的大 的小 的新 的是 的话 的钱 皇冠 皇家 盈利 监听 监察 监督
监管 目前 目录 目标 目的 直到 直接 直播 相信 相关 相比 相關 看到 看来 看的 看看 真人
真假 真实 真正 真的 知乎 知识 知道 短信 研发 研究 破解 确保 确定 确认 社会 社区 禁止
福利 福建 私人 科学 科技 科研 秘书 秘密 秘籍 积分 积极 移动 程序 程度 種類 稳定 空气
空间 突出 突然 突破 窗口 立即 竞争 章节 符合 第一 第三 第二 第五 第四 等待 等等 等级
答案 策略 简介 简单 简称 算法 算盘 管理 篮球 类似 类别 类型 精准 精彩 精神 精选 系列
系统 素材 累计 結果 纪录 纪律 纽约 线上 线程 线路 组件 组合 组成 组织 终于 经典 经历
经济 经理 经营 经过 经验 绑定 结合 结束 结构 结果 给予 统一 统计 继续 维修 维护 综合
绿色 缓存 编号 编码 编辑 网上 网友 网址 网站 网络 网页 罗斯 美元 美国 美女 美容 群众
老人 老太 老婆 老师 老板 考虑 考试 而言 聊天 职业 职位 职责 联合 联盟 联系 联网 股票
背景 能力 能够 能源 腾讯 自主 自动 自在 自己 自拍 自然 自由 自行 自身 至尊 至少 舒服
航空 艺术 节点 节目 英国 英文 英语 英雄 苹果 范围 获取 获得 菜单 菠菜 营销 董事 蒙古
虽然 蜘蛛 融合 融资 行业 行为 行动 行情 行政 表现 表示 表达 装修 装备 西亚 西游 要求
覆盖 观察 观点 观看 规划 规则 规定 规律 规格 规模 规范 视觉 视频 觉得 角色 解决 解析
解释 解除 設備 設定 詳細 警方 计划 计算 订单 认为 认可 认真 认证 认识 讨论 让我 训练
记录 记者 讲话 许可 论坛 论文 设备 设施 设置 设计 访问 证券 证明 评价 评分 评级 评论
诈骗 试听 试看 详情 详细 语言 说明 说道 请求 读取 课堂 课程 调整 调查 调用 谢谢 豹子
資料 資訊 负责 贡献 财富 财政 财经 责任 账号 账户 质量 购买 购物 贯彻 贵州 贷款 贸易
费用 资产 资料 资本 资格 资源 资讯 资金 赌博 赚钱 赢家 走势 起来 超级 超过 趋势 足球
跑路 距离 跨度 路径 路线 身份 身体 车型 车辆 转换 转载 软件 辅助 输了 输入 输出 达人
达到 过去 过滤 过程 运动 运营 运行 运输 近期 返回 还是 还有 还能 这一 这个 这么 这些
这是 这样 这种 这里 进入 进去 进口 进行 违反 违法 违规 连接 连续 追加 追回 退休 退出
退款 选择 透明 透露 途中 通信 通常 通知 通讯 通过 速度 造成 道人 道路 遗漏 避免 邀请
那个 那么 那些 那里 邮件 邮箱 部分 部署 部长 部门 都会 都市 都是 都有 配置 配送 酒店
采取 采用 采访 采购 释放 里的 里面 重复 重大 重庆 重新 重点 重要 重量 金币 金融 金额
针对 钱包 铁路 银河 银行 链接 销售 销量 错误 长度 长期 长沙 长龙 開始 门户 问题 阅读
阳市 阶段 附件 附近 降低 限制 限定 除了 除此 随后 随机 随着 隐藏 集中 集合 集团 零钱
電子 需求 需要 霸王 青年 青春 青青 非常 非法 靠谱 面对 面的 面积 革命 韩国 音乐 页面
顶部 项目 预测 预算 预约 预计 领先 领取 领域 领导 频道 颜色 额度 風吹 风险 飞机 食品
首先 首次 首頁 首页 香港 马上 马克 驾驶 验证 骗子 高中 高度 高手 高校 高清 高级 高速
麻将 黄色 黄金 黑人 默认 龙江 （一 （二 （水 （笑 ）的 ，一 ，上 ，下 ，不 ，与 ，两
，中 ，为 ，也 ，于 ，人 ，仅 ，从 ，他 ，以 ，会 ，但 ，你 ，使 ，全 ，共 ，其 ，再
，则 ，到 ，加 ，占 ，即 ，却 ，又 ，只 ，可 ，各 ，同 ，在 ，多 ，大 ，她 ，好 ，如
，它 ，对 ，将 ，小 ，就 ，并 ，应 ，引 ，当 ，很 ，总 ，我 ，把 ，据 ，新 ，无 ，是
，更 ，有 ，本 ，此 ，每 ，比 ，用 ，由 ，相 ，看 ，第 ，经 ，美 ，而 ，自 ，被 ，要
，让 ，该 ，说 ，请 ，还 ，这 ，道 ，那 ，都 ，高
"""
