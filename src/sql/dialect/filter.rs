//! A WHERE clause as the conditions that AND joins, and which of them only say "not done yet".

use super::cursor::{Cursor, is_name};
use crate::sql::Dialect;
use crate::sql::change::{Assignment, Conjunct};
use crate::sql::lexer::{Kind, Lexer, Token};

/// Splits a condition at its outermost ANDs. `set` is what the statement assigns.
pub(super) fn conjuncts(source: &str, tokens: &[Token], set: &[Assignment]) -> Vec<Conjunct> {
    let parts = split(source, strip(source, tokens), "OR");
    if parts.len() > 1 {
        // `new IS NULL OR new = ''`: a row that it leaves out holds some value, and a wrong one is not done.
        let guard = parts.iter().any(|part| is_guard(source, part, set));
        return text_of(source, tokens).map(|text| Conjunct { text, guard }).into_iter().collect();
    }
    let parts = split(source, strip(source, tokens), "AND");
    if let [part] = parts.as_slice() {
        let guard = is_guard(source, part, set);
        return text_of(source, tokens).map(|text| Conjunct { text, guard }).into_iter().collect();
    }
    parts.into_iter().flat_map(|part| conjuncts(source, part, set)).collect()
}

/// The conditions that AND joins in an expression, each as its source text.
pub fn conditions(expression: &str, dialect: Dialect) -> Vec<String> {
    let mut lexer = Lexer::new(expression, dialect);
    let tokens: Vec<Token> = std::iter::from_fn(|| lexer.next()).collect();
    conjuncts(expression, &tokens, &[]).into_iter().map(|conjunct| conjunct.text).collect()
}

/// The source from the first token to the last.
pub(super) fn text_of(source: &str, tokens: &[Token]) -> Option<String> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    Some(source[first.range.start..last.range.end].to_string())
}

/// Cuts at a word that stands in no parentheses, no CASE and no BETWEEN.
fn split<'a>(source: &str, tokens: &'a [Token], word: &str) -> Vec<&'a [Token]> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut between) = (0, 0_usize, false);
    for (at, token) in tokens.iter().enumerate() {
        match token.text(source) {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            _ if token.is_word(source, "case") => depth += 1,
            _ if token.is_word(source, "end") => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            _ if token.is_word(source, "between") => between = true,
            _ if between && token.is_word(source, "and") => between = false,
            _ if token.is_word(source, word) => {
                parts.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[start..]);
    parts
}

/// Takes off parentheses that enclose everything.
fn strip<'a>(source: &str, mut tokens: &'a [Token]) -> &'a [Token] {
    while let [first, inner @ .., last] = tokens {
        if !(first.is_symbol(source, '(') && last.is_symbol(source, ')') && closes_at_end(source, inner)) {
            break;
        }
        tokens = inner;
    }
    tokens
}

fn closes_at_end(source: &str, inner: &[Token]) -> bool {
    let mut depth = 0_usize;
    for token in inner {
        if token.is_symbol(source, '(') {
            depth += 1;
        } else if token.is_symbol(source, ')') {
            let Some(less) = depth.checked_sub(1) else { return false };
            depth = less;
        }
    }
    depth == 0
}

/// The condition holds exactly where an assigned column still lacks its new value.
fn is_guard(source: &str, tokens: &[Token], set: &[Assignment]) -> bool {
    let tokens = strip(source, tokens);
    if let Some((not, rest)) = tokens.split_first()
        && not.is_word(source, "not")
    {
        let same = strip(source, rest);
        return comparison(source, same, &["<", "=", ">"], set) || comparison(source, same, &SAME, set);
    }
    let is_null = |assigned: &Assignment| {
        let (column, rest) = tokens.split_at(tokens.len().saturating_sub(2));
        matches!(rest, [is, null] if is.is_word(source, "is") && null.is_word(source, "null"))
            && is_column(source, column, &assigned.column)
    };
    set.iter().any(is_null)
        || comparison(source, tokens, &["IS", "DISTINCT", "FROM"], set)
        || comparison(source, tokens, &["IS", "NOT"], set)
}

const SAME: [&str; 4] = ["IS", "NOT", "DISTINCT", "FROM"];

/// `column OPERATOR expression`, or the other way round, of one assignment.
fn comparison(source: &str, tokens: &[Token], operator: &[&str], set: &[Assignment]) -> bool {
    let matches_at = |window: &[Token]| {
        window.iter().zip(operator).all(|(token, word)| token.text(source).eq_ignore_ascii_case(word))
    };
    let Some(at) = tokens.windows(operator.len()).position(matches_at) else { return false };
    let sides = (&tokens[..at], &tokens[at + operator.len()..]);
    let (left, right) = match (bytes_of(source, sides.0), bytes_of(source, sides.1)) {
        (Some(left), Some(right)) => (left, right),
        _ => sides,
    };
    set.iter().any(|assigned| {
        (is_column(source, left, &assigned.column) && says(source, right, &assigned.expression))
            || (is_column(source, right, &assigned.column) && says(source, left, &assigned.expression))
    })
}

/// What stands in `CAST(... AS BINARY)`.
fn bytes_of<'a>(source: &str, tokens: &'a [Token]) -> Option<&'a [Token]> {
    let [cast, open, inner @ .., of, binary, close] = strip(source, tokens) else { return None };
    let is = cast.is_word(source, "cast")
        && open.is_symbol(source, '(')
        && of.is_word(source, "as")
        && binary.is_word(source, "binary")
        && close.is_symbol(source, ')')
        && closes_at_end(source, inner);
    is.then_some(inner)
}

/// The tokens name this column, qualified or not.
fn is_column(source: &str, tokens: &[Token], column: &str) -> bool {
    let tokens = strip(source, tokens);
    let qualified = tokens.len() == 1 || tokens.len() >= 3 && tokens[tokens.len() - 2].is_symbol(source, '.');
    qualified
        && tokens.last().is_some_and(|token| match token.kind {
            Kind::Word => token.text(source).eq_ignore_ascii_case(column),
            Kind::Quoted => super::cursor::unquote(token.text(source)) == column,
            _ => false,
        })
}

/// The tokens are this expression, but for white space and outer parentheses.
fn says(source: &str, tokens: &[Token], expression: &str) -> bool {
    let squeeze = |text: &str| text.split_whitespace().collect::<String>();
    let text = text_of(source, strip(source, tokens)).unwrap_or_default();
    squeeze(&text) == squeeze(expression) || squeeze(&format!("({text})")) == squeeze(expression)
}

/// Whether a query may leave out rows of what it reads, or take one for several. What stands in parentheses is another
/// query's business.
pub(super) fn is_partial(mut query: Cursor<'_>) -> bool {
    const WORDS: [&str; 10] =
        ["DISTINCT", "LIMIT", "OFFSET", "FETCH", "GROUP", "HAVING", "JOIN", "EXCEPT", "INTERSECT", "TABLESAMPLE"];
    while !query.tokens.is_empty() {
        if query.eat("LEFT OUTER JOIN") || query.eat("LEFT JOIN") || query.eat("DISTINCT FROM") {
            continue;
        }
        // SQLite cannot tell ON CONFLICT from a join's ON without a WHERE in between.
        let everything = |query: &Cursor<'_>| query.tokens.len() == 1 && (query.at("TRUE") || query.peek() == "1");
        if query.eat("WHERE") && !everything(&query) || WORDS.iter().any(|word| query.at(word)) {
            return true;
        }
        query.skip();
    }
    false
}

/// The names of the columns that a query gives, `*` for all of what it reads; none where one of them is not known. `take`
/// takes an identifier as the dialect folds it.
pub(super) fn outputs(mut query: Cursor<'_>, take: impl Fn(&mut Cursor<'_>) -> Option<String>) -> Vec<String> {
    while let Some(inner) = query.clone().group() {
        query = query.within(inner);
    }
    if !query.eat("SELECT") {
        return Vec::new();
    }
    if query.eat("DISTINCT ON") {
        query.group();
    }
    let _ = query.eat("ALL") || query.eat("DISTINCT");
    let listed = query.until(&["FROM", "WHERE", "UNION", "INTERSECT", "EXCEPT", "GROUP BY", "ORDER BY", "LIMIT"]);
    let name = |mut item: Cursor<'_>| {
        let [before @ .., last] = item.tokens else { return None };
        if last.is_symbol(item.source, '*') && before.last().is_none_or(|dot| dot.is_symbol(item.source, '.')) {
            return Some("*".to_string());
        }
        let own_name = match before {
            [] => true,
            [.., dot] if dot.is_symbol(item.source, '.') => before.len() % 2 == 0,
            [.., alias] => alias.is_word(item.source, "as") || is_name(alias) || alias.is_symbol(item.source, ')'),
        };
        item.tokens = std::slice::from_ref(last);
        take(&mut item).filter(|_| own_name && is_name(last))
    };
    query.within(listed).comma_separated().into_iter().map(name).collect::<Option<_>>().unwrap_or_default()
}
