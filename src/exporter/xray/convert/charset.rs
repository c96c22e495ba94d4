//! Which characters X-Ray takes in a name, and how letters and their accents become one character.
//!
//! X-Ray takes letters, numbers and separators of any script and `_ . : / % & # = + - @`. Combining marks are none of these,
//! so a decomposed `é` would lose its accent: it is composed first.
//! Source: the pattern of `name` in AWS's segment document schema 1.0.0,
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html> (read 2026-11), tested code point by
//! code point; the tables are from the Unicode Character Database 14.0, <https://www.unicode.org/Public/14.0.0/ucd/>.

use std::cmp::Ordering;

/// Whether a byte of ASCII is taken.
pub const ASCII: [bool; 128] = {
    let mut taken = [false; 128];
    let mut at = 0;
    while at < 128 {
        taken[at] = (at as u8).is_ascii_alphanumeric();
        at += 1;
    }
    let others = b" _.:/%&#=+-@";
    at = 0;
    while at < others.len() {
        taken[others[at] as usize] = true;
        at += 1;
    }
    taken
};

/// Whether a character is taken.
#[inline]
pub fn is_allowed(character: char) -> bool {
    match ASCII.get(character as usize) {
        Some(taken) => *taken,
        None => {
            is_separator(character)
                || (character.is_alphanumeric() && character <= '\u{ffff}' && !is_no_letter(character))
        }
    }
}

/// Whether a character is of the categories Zs, Zl, Zp: white space that is no control character.
#[inline]
pub fn is_separator(character: char) -> bool {
    character.is_whitespace() && !character.is_control()
}

/// Whether the standard library calls alphabetic what is a mark or a symbol.
fn is_no_letter(character: char) -> bool {
    let code = character as u16;
    let place = |(first, last): &(u16, u16)| match code {
        code if code < *first => Ordering::Greater,
        code if code > *last => Ordering::Less,
        _ => Ordering::Equal,
    };
    NO_LETTERS.binary_search_by(place).is_ok()
}

/// The character that a base and a combining mark make together.
#[inline]
pub fn compose(base: char, mark: char) -> Option<char> {
    if mark < COMPOSED[0].0 { None } else { composed(base, mark) }
}

fn composed(base: char, mark: char) -> Option<char> {
    let row = COMPOSED.binary_search_by_key(&mark, |(mark, _)| *mark).ok()?;
    let mut pairs = COMPOSED[row].1.chars();
    while let (Some(from), Some(to)) = (pairs.next(), pairs.next()) {
        if from == base {
            return Some(to);
        }
    }
    None
}

/// Ranges of marks (and of circled letters); what lies between two of a range is no letter or number either.
#[rustfmt::skip]
const NO_LETTERS: &[(u16, u16)] = &[
    (0x0300, 0x036f), (0x0483, 0x0489), (0x0591, 0x05c7), (0x0610, 0x061a), (0x064b, 0x065f), (0x0670, 0x0670),
    (0x06d6, 0x06e4), (0x06e7, 0x06ed), (0x0711, 0x0711), (0x0730, 0x074a), (0x07a6, 0x07b0), (0x07eb, 0x07f3),
    (0x07fd, 0x07fd), (0x0816, 0x0819), (0x081b, 0x0823), (0x0825, 0x0827), (0x0829, 0x082d), (0x0859, 0x085b),
    (0x0898, 0x089f), (0x08ca, 0x0903), (0x093a, 0x093c), (0x093e, 0x094f), (0x0951, 0x0957), (0x0962, 0x0963),
    (0x0981, 0x0983), (0x09bc, 0x09bc), (0x09be, 0x09cd), (0x09d7, 0x09d7), (0x09e2, 0x09e3), (0x09fe, 0x0a03),
    (0x0a3c, 0x0a51), (0x0a70, 0x0a71), (0x0a75, 0x0a83), (0x0abc, 0x0abc), (0x0abe, 0x0acd), (0x0ae2, 0x0ae3),
    (0x0afa, 0x0b03), (0x0b3c, 0x0b3c), (0x0b3e, 0x0b57), (0x0b62, 0x0b63), (0x0b82, 0x0b82), (0x0bbe, 0x0bcd),
    (0x0bd7, 0x0bd7), (0x0c00, 0x0c04), (0x0c3c, 0x0c3c), (0x0c3e, 0x0c56), (0x0c62, 0x0c63), (0x0c81, 0x0c83),
    (0x0cbc, 0x0cbc), (0x0cbe, 0x0cd6), (0x0ce2, 0x0ce3), (0x0d00, 0x0d03), (0x0d3b, 0x0d3c), (0x0d3e, 0x0d4d),
    (0x0d57, 0x0d57), (0x0d62, 0x0d63), (0x0d81, 0x0d83), (0x0dca, 0x0ddf), (0x0df2, 0x0df3), (0x0e31, 0x0e31),
    (0x0e34, 0x0e3a), (0x0e47, 0x0e4e), (0x0eb1, 0x0eb1), (0x0eb4, 0x0ebc), (0x0ec8, 0x0ecd), (0x0f18, 0x0f19),
    (0x0f35, 0x0f3f), (0x0f71, 0x0f87), (0x0f8d, 0x0fc6), (0x102b, 0x103e), (0x1056, 0x1059), (0x105e, 0x1060),
    (0x1062, 0x1064), (0x1067, 0x106d), (0x1071, 0x1074), (0x1082, 0x108d), (0x108f, 0x108f), (0x109a, 0x109d),
    (0x135d, 0x135f), (0x1712, 0x1715), (0x1732, 0x1734), (0x1752, 0x1753), (0x1772, 0x1773), (0x17b4, 0x17d3),
    (0x17dd, 0x17dd), (0x180b, 0x180f), (0x1885, 0x1886), (0x18a9, 0x18a9), (0x1920, 0x193b), (0x1a17, 0x1a1b),
    (0x1a55, 0x1a7f), (0x1ab0, 0x1b04), (0x1b34, 0x1b44), (0x1b6b, 0x1b82), (0x1ba1, 0x1bad), (0x1be6, 0x1bf3),
    (0x1c24, 0x1c37), (0x1cd0, 0x1ce8), (0x1ced, 0x1ced), (0x1cf4, 0x1cf4), (0x1cf7, 0x1cf9), (0x1dc0, 0x1dff),
    (0x20d0, 0x20f0), (0x24b6, 0x24e9), (0x2cef, 0x2cf1), (0x2d7f, 0x2d7f), (0x2de0, 0x2dff), (0x302a, 0x302f),
    (0x3099, 0x309a), (0xa66f, 0xa67d), (0xa69e, 0xa69f), (0xa6f0, 0xa6f1), (0xa802, 0xa802), (0xa806, 0xa806),
    (0xa80b, 0xa80b), (0xa823, 0xa82c), (0xa880, 0xa881), (0xa8b4, 0xa8c5), (0xa8e0, 0xa8f1), (0xa8ff, 0xa8ff),
    (0xa926, 0xa92d), (0xa947, 0xa953), (0xa980, 0xa983), (0xa9b3, 0xa9c0), (0xa9e5, 0xa9e5), (0xaa29, 0xaa36),
    (0xaa43, 0xaa43), (0xaa4c, 0xaa4d), (0xaa7b, 0xaa7d), (0xaab0, 0xaab0), (0xaab2, 0xaab4), (0xaab7, 0xaab8),
    (0xaabe, 0xaabf), (0xaac1, 0xaac1), (0xaaeb, 0xaaef), (0xaaf5, 0xaaf6), (0xabe3, 0xabed), (0xfb1e, 0xfb1e),
    (0xfe00, 0xfe2f),
];

/// For each combining mark: bases, each followed by what it becomes.
#[rustfmt::skip]
const COMPOSED: &[(char, &str)] = &[
    ('\u{0300}', "AÀEÈIÌOÒUÙaàeèiìoòuùÜǛüǜNǸnǹЕЀИЍеѐиѝĒḔēḕŌṐōṑWẀwẁÂẦâầĂẰăằÊỀêềÔỒôồƠỜơờƯỪưừYỲyỳἀἂἁἃἈἊἉἋἐἒἑἓἘἚἙἛἠἢἡἣἨἪἩἫἰἲἱἳἸἺἹἻὀὂὁὃὈὊὉὋὐὒὑὓὙὛὠὢὡὣὨὪὩὫαὰεὲηὴιὶοὸυὺωὼΑᾺΕῈΗῊϊῒΙῚϋῢΥῪΟῸΩῺ"),
    ('\u{0301}', "AÁEÉIÍOÓUÚYÝaáeéiíoóuúyýCĆcćLĹlĺNŃnńRŔrŕSŚsśZŹzźÜǗüǘGǴgǵÅǺåǻÆǼæǽØǾøǿΑΆΕΈΗΉΙΊΟΌΥΎΩΏϊΐαάεέηήιίϋΰοόυύωώϒϓГЃКЌгѓкќÇḈçḉĒḖēḗÏḮïḯKḰkḱMḾmḿÕṌõṍŌṒōṓPṔpṕŨṸũṹWẂwẃÂẤâấĂẮăắÊẾêếÔỐôốƠỚơớƯỨưứἀἄἁἅἈἌἉἍἐἔἑἕἘἜἙἝἠἤἡἥἨἬἩἭἰἴἱἵἸἼἹἽὀὄὁὅὈὌὉὍὐὔὑὕὙὝὠὤὡὥὨὬὩὭ"),
    ('\u{0302}', "AÂEÊIÎOÔUÛaâeêiîoôuûCĈcĉGĜgĝHĤhĥJĴjĵSŜsŝWŴwŵYŶyŷZẐzẑẠẬạậẸỆẹệỌỘọộ"),
    ('\u{0303}', "AÃNÑOÕaãnñoõIĨiĩUŨuũVṼvṽÂẪâẫĂẴăẵEẼeẽÊỄêễÔỖôỗƠỠơỡƯỮưữYỸyỹ"),
    ('\u{0304}', "AĀaāEĒeēIĪiīOŌoōUŪuūÜǕüǖÄǞäǟȦǠȧǡÆǢæǣǪǬǫǭÖȪöȫÕȬõȭȮȰȯȱYȲyȳИӢиӣУӮуӯGḠgḡḶḸḷḹṚṜṛṝαᾱΑᾹιῑΙῙυῡΥῩ"),
    ('\u{0306}', "AĂaăEĔeĕGĞgğIĬiĭOŎoŏUŬuŭУЎИЙийуўЖӁжӂАӐаӑЕӖеӗȨḜȩḝẠẶạặαᾰΑᾸιῐΙῘυῠΥῨ"),
    ('\u{0307}', "CĊcċEĖeėGĠgġIİZŻzżAȦaȧOȮoȯBḂbḃDḊdḋFḞfḟHḢhḣMṀmṁNṄnṅPṖpṗRṘrṙSṠsṡŚṤśṥŠṦšṧṢṨṣṩTṪtṫWẆwẇXẊxẋYẎyẏſẛ"),
    ('\u{0308}', "AÄEËIÏOÖUÜaäeëiïoöuüyÿYŸΙΪΥΫιϊυϋϒϔЕЁІЇеёіїАӒаӓӘӚәӛЖӜжӝЗӞзӟИӤиӥОӦоӧӨӪөӫЭӬэӭУӰуӱЧӴчӵЫӸыӹHḦhḧÕṎõṏŪṺūṻWẄwẅXẌxẍtẗ"),
    ('\u{0309}', "AẢaảÂẨâẩĂẲăẳEẺeẻÊỂêểIỈiỉOỎoỏÔỔôổƠỞơởUỦuủƯỬưửYỶyỷ"),
    ('\u{030a}', "AÅaåUŮuůwẘyẙ"),
    ('\u{030b}', "OŐoőUŰuűУӲуӳ"),
    ('\u{030c}', "CČcčDĎdďEĚeěLĽlľNŇnňRŘrřSŠsšTŤtťZŽzžAǍaǎIǏiǐOǑoǒUǓuǔÜǙüǚGǦgǧKǨkǩƷǮʒǯjǰHȞhȟ"),
    ('\u{030f}', "AȀaȁEȄeȅIȈiȉOȌoȍRȐrȑUȔuȕѴѶѵѷ"),
    ('\u{0311}', "AȂaȃEȆeȇIȊiȋOȎoȏRȒrȓUȖuȗ"),
    ('\u{0313}', "αἀΑἈεἐΕἘηἠΗἨιἰΙἸοὀΟὈυὐωὠΩὨρῤ"),
    ('\u{0314}', "αἁΑἉεἑΕἙηἡΗἩιἱΙἹοὁΟὉυὑΥὙωὡΩὩρῥΡῬ"),
    ('\u{031b}', "OƠoơUƯuư"),
    ('\u{0323}', "BḄbḅDḌdḍHḤhḥKḲkḳLḶlḷMṂmṃNṆnṇRṚrṛSṢsṣTṬtṭVṾvṿWẈwẉZẒzẓAẠaạEẸeẹIỊiịOỌoọƠỢơợUỤuụƯỰưựYỴyỵ"),
    ('\u{0324}', "UṲuṳ"),
    ('\u{0325}', "AḀaḁ"),
    ('\u{0326}', "SȘsșTȚtț"),
    ('\u{0327}', "CÇcçGĢgģKĶkķLĻlļNŅnņRŖrŗSŞsşTŢtţEȨeȩDḐdḑHḨhḩ"),
    ('\u{0328}', "AĄaąEĘeęIĮiįUŲuųOǪoǫ"),
    ('\u{032d}', "DḒdḓEḘeḙLḼlḽNṊnṋTṰtṱUṶuṷ"),
    ('\u{032e}', "HḪhḫ"),
    ('\u{0330}', "EḚeḛIḬiḭUṴuṵ"),
    ('\u{0331}', "BḆbḇDḎdḏKḴkḵLḺlḻNṈnṉRṞrṟTṮtṯZẔzẕhẖ"),
    ('\u{0342}', "ἀἆἁἇἈἎἉἏἠἦἡἧἨἮἩἯἰἶἱἷἸἾἹἿὐὖὑὗὙὟὠὦὡὧὨὮὩὯαᾶηῆιῖϊῗυῦϋῧωῶ"),
    ('\u{0345}', "ἀᾀἁᾁἂᾂἃᾃἄᾄἅᾅἆᾆἇᾇἈᾈἉᾉἊᾊἋᾋἌᾌἍᾍἎᾎἏᾏἠᾐἡᾑἢᾒἣᾓἤᾔἥᾕἦᾖἧᾗἨᾘἩᾙἪᾚἫᾛἬᾜἭᾝἮᾞἯᾟὠᾠὡᾡὢᾢὣᾣὤᾤὥᾥὦᾦὧᾧὨᾨὩᾩὪᾪὫᾫὬᾬὭᾭὮᾮὯᾯὰᾲαᾳάᾴᾶᾷΑᾼὴῂηῃήῄῆῇΗῌὼῲωῳώῴῶῷΩῼ"),
    ('\u{0653}', "اآ"),
    ('\u{0654}', "اأوؤيئەۀہۂےۓ"),
    ('\u{0655}', "اإ"),
    ('\u{093c}', "नऩरऱळऴ"),
    ('\u{0bd7}', "ஒஔ"),
    ('\u{102e}', "ဥဦ"),
    ('\u{1b35}', "ᬅᬆᬇᬈᬉᬊᬋᬌᬍᬎᬑᬒ"),
    ('\u{3099}', "かがきぎくぐけげこごさざしじすずせぜそぞただちぢつづてでとどはばひびふぶへべほぼうゔゝゞカガキギクグケゲコゴサザシジスズセゼソゾタダチヂツヅテデトドハバヒビフブヘベホボウヴワヷヰヸヱヹヲヺヽヾ"),
    ('\u{309a}', "はぱひぴふぷへぺほぽハパヒピフプヘペホポ"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_x_ray_takes_is_told_from_what_it_refuses() {
        for character in "aZ09 _.:/%&#=+-@éß日本ñ²½Ⅷ\u{a0}\u{2003}\u{3000}\u{2028}한क".chars() {
            assert!(is_allowed(character), "{character:?}");
        }
        for character in "\\,{}()[]<>?!*$'\";^~|`\t\r\n\u{0}\u{7f}\u{85}😀\u{301}\u{93e}Ⓐ𝐀𠀀".chars() {
            assert!(!is_allowed(character), "{character:?}");
        }
    }

    #[test]
    fn both_tables_are_sorted() {
        assert!(NO_LETTERS.is_sorted());
        assert!(COMPOSED.is_sorted_by_key(|(mark, _)| *mark));
        assert!(COMPOSED.iter().all(|(_, pairs)| pairs.chars().count().is_multiple_of(2)));
    }

    #[test]
    fn a_letter_and_its_accent_are_one() {
        assert_eq!(compose('e', '\u{301}'), Some('é'));
        assert_eq!(compose('か', '\u{3099}'), Some('が'));
        assert_eq!(compose('q', '\u{301}'), None);
        assert_eq!(compose('e', 'f'), None);
    }
}
