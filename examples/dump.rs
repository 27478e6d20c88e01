#![allow(clippy::all)]
use lockkeeper::sql::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let d = Dialect::from_word(&a[1]).unwrap();
    let text = if a[2] == "-" {
        std::io::read_to_string(std::io::stdin()).unwrap()
    } else {
        String::from_utf8_lossy(&std::fs::read(&a[2]).unwrap()).into_owned()
    };
    for s in read(&text, d) {
        match &s.parsed {
            Ok(cs) => {
                for c in cs {
                    println!("{:?}  <= {}", c.change, &text[c.range.clone()])
                }
            }
            Err(u) => println!(
                "UNREAD {} @{:?} `{}` in: {}",
                u.reason,
                u.range.clone(),
                &text[u.range.clone()].chars().take(30).collect::<String>(),
                &text[s.range.clone()].chars().take(200).collect::<String>()
            ),
        }
    }
}
