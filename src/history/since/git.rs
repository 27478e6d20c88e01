//! What git knows about a directory: the program is asked, and its settings do not change the answer.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};

/// Variables by which a hook's git tells its children where they are. We look at the files that were named.
const OF_A_HOOK: [&str; 12] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_SHALLOW_FILE",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
];

/// A working tree of git.
pub(super) struct Repository {
    top: PathBuf,
}

/// How the files of a working tree differ from a commit.
pub(super) struct Changes {
    /// All that the commit has.
    old: BTreeSet<PathBuf>,
    unchanged: BTreeSet<PathBuf>,
    /// With their old names.
    renamed: Vec<(PathBuf, PathBuf)>,
    gone: Vec<PathBuf>,
}

/// The directory that a file lies in.
pub(super) fn parent(path: &str) -> &Path {
    Path::new(path).parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The working tree around a directory, which may be one of a submodule; where there is none, the directory itself.
pub(super) fn top(directory: &Path) -> PathBuf {
    let Ok(directory) = fs::canonicalize(directory) else { return directory.to_path_buf() };
    directory.ancestors().find(|above| above.join(".git").exists()).unwrap_or(&directory).to_path_buf()
}

impl Repository {
    /// The working tree that a file lies in.
    ///
    /// # Errors
    /// There is none, or git cannot be asked.
    pub(super) fn around(path: &str) -> Result<Self> {
        let mut repository = Self { top: parent(path).to_path_buf() };
        match repository.ask(&["rev-parse", "--show-toplevel"])? {
            Ok(top) => {
                let top = top.strip_suffix(b"\n").unwrap_or(&top);
                repository.top = path_of(top);
                Ok(repository)
            }
            Err(said) => {
                let place = repository.top.display();
                Err(Error::input(format!("`{place}` is in no working tree of git")).because(said))
            }
        }
    }

    /// Whether a word names a commit.
    pub(super) fn knows(&self, word: &str) -> bool {
        self.commit(word).is_some()
    }

    /// How git calls a revision when it leaves no doubt: `refs/heads/main`, or the commit.
    pub(super) fn full_name(&self, word: &str) -> Option<String> {
        let commit = self.commit(word)?;
        let name = self.ask(&["rev-parse", "--symbolic-full-name", word]).ok()?.ok()?;
        let name = String::from_utf8(name).ok()?.trim().to_string();
        Some(if name.is_empty() { commit } else { name })
    }

    /// Why a word is unknown.
    pub(super) fn unknown(&self, word: &str) -> Error {
        let error = Error::input("git knows no revision of that name");
        if self.is_shallow() {
            return error.because("this clone is shallow: it holds only the latest commits").hint(deepen(word));
        }
        error
    }

    /// The commit at which HEAD left the line of a revision.
    ///
    /// # Errors
    /// There is none that this clone knows.
    pub(super) fn base(&self, word: &str) -> Result<String> {
        let commit = self.commit(word).unwrap_or_default();
        match self.ask(&["merge-base", &commit, "HEAD"])? {
            Ok(base) => Ok(String::from_utf8_lossy(&base).trim().to_string()),
            Err(said) => {
                let error = Error::input(format!(
                    "`--since {word}`: git finds no commit that `{word}` and HEAD have in common"
                ));
                let error = if said.is_empty() { error } else { error.because(said) };
                Err(match self.is_shallow() {
                    true => error.because("this clone is shallow: it holds only the latest commits").hint(deepen(word)),
                    false => error.hint("give a revision that this branch began from"),
                })
            }
        }
    }

    /// What has changed since a commit around these files, committed or not.
    ///
    /// # Errors
    /// Git cannot tell.
    pub(super) fn changes(&self, base: &str, paths: &[String]) -> Result<Changes> {
        let around = around(paths).strip_prefix(&self.top).unwrap_or(Path::new("")).to_string_lossy().into_owned();
        let around: &[&str] = if around.is_empty() { &[] } else { &["--", &around] };
        let tree = self.told(&[&["ls-tree", "-r", "-z", "--name-only", "--full-tree", base], around].concat())?;
        let options =
            ["diff", "--name-status", "-z", "-M100%", "--no-ext-diff", "--no-relative", "--ignore-submodules=all"];
        let diff = self.told(&[&options[..], &[base], around].concat())?;
        let old: BTreeSet<_> = names(&tree).map(|name| self.top.join(name)).collect();
        let mut changes = Changes { unchanged: old.clone(), old, renamed: vec![], gone: vec![] };
        let mut words = names(&diff);
        while let (Some(status), Some(name)) = (words.next(), words.next()) {
            let name = self.top.join(name);
            changes.unchanged.remove(&name);
            if status.to_string_lossy().starts_with(['R', 'C']) {
                let new = self.top.join(words.next().unwrap_or_default());
                changes.renamed.push((name, new));
            } else if !name.exists() {
                changes.gone.push(name);
            }
        }
        Ok(changes)
    }

    /// A file as it was in a commit; `None` where it was not, or was no text.
    pub(super) fn text_at(&self, base: &str, path: &str) -> Option<String> {
        let path = fs::canonicalize(path).ok()?;
        let name = path.strip_prefix(&self.top).ok()?.to_str()?;
        String::from_utf8(self.ask(&["show", &format!("{base}:{name}")]).ok()?.ok()?).ok()
    }

    /// The tags of a pattern that HEAD has behind it, the oldest first.
    ///
    /// # Errors
    /// There is none, or git cannot tell.
    pub(super) fn tags(&self, pattern: &str) -> Result<Vec<String>> {
        let pattern = format!("refs/tags/{pattern}");
        let options = ["for-each-ref", "--merged=HEAD", "--sort=creatordate", "--format=%(refname)"];
        let told = self.told(&[&options[..], &[&pattern]].concat())?;
        let tags: Vec<_> = String::from_utf8_lossy(&told).lines().map(str::to_string).collect();
        if tags.is_empty() {
            let error =
                Error::input(format!("git knows no `{pattern}` behind HEAD: which releases there were is not told"));
            return Err(error.hint("fetch the tags and the history: `git fetch --tags --unshallow origin`"));
        }
        Ok(tags)
    }

    /// The files of a revision, as they would lie in the working tree.
    ///
    /// # Errors
    /// Git cannot tell.
    pub(super) fn files_at(&self, revision: &str) -> Result<BTreeSet<PathBuf>> {
        let commit = self.commit(revision).unwrap_or_default();
        let tree = self.told(&["ls-tree", "-r", "-z", "--name-only", "--full-tree", &commit])?;
        Ok(names(&tree).map(|name| self.top.join(name)).collect())
    }

    fn commit(&self, word: &str) -> Option<String> {
        // What begins so would be an option.
        if word.starts_with('-') || word.is_empty() {
            return None;
        }
        let commit = self.ask(&["rev-parse", "--verify", "--quiet", &format!("{word}^{{commit}}")]).ok()?.ok()?;
        String::from_utf8(commit).ok().map(|commit| commit.trim().to_string())
    }

    fn is_shallow(&self) -> bool {
        self.ask(&["rev-parse", "--is-shallow-repository"]).is_ok_and(|said| said.is_ok_and(|said| said == b"true\n"))
    }

    fn told(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        self.ask(arguments)?.map_err(|said| {
            let place = self.top.display();
            Error::input(format!("git could not tell what has changed in `{place}`")).because(said)
        })
    }

    /// Runs git; the inner error is what it says when it refuses.
    fn ask(&self, arguments: &[&str]) -> Result<Result<Vec<u8>, String>> {
        let mut git = Command::new("git");
        git.arg("-C").arg(&self.top).args(["--no-optional-locks", "--literal-pathspecs"]).args(arguments);
        for variable in OF_A_HOOK {
            git.env_remove(variable);
        }
        let output = git.env("LC_ALL", "C").output().map_err(|error| {
            let missing = error.kind() == ErrorKind::NotFound;
            let error = Error::input("git could not be run").because(error);
            if missing { error.hint("install git") } else { error }
        })?;
        Ok(match output.status.success() {
            true => Ok(output.stdout),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_string()),
        })
    }
}

impl Changes {
    /// The file is as it was, under its name; what it leads to as a link as well.
    pub(super) fn is_unchanged(&self, path: &str) -> bool {
        places(path).is_some_and(|places| places.iter().all(|place| self.unchanged.contains(place)))
    }

    /// The commit has no file of that name.
    pub(super) fn is_new(&self, path: &str) -> bool {
        places(path).is_none_or(|[place, _]| !self.old.contains(&place))
    }

    /// What a reader should know besides.
    pub(super) fn notes(&self, repository: &Repository) -> Vec<String> {
        let shown = |path: &Path| path.strip_prefix(&repository.top).unwrap_or(path).display().to_string();
        let is_sql = |path: &Path| path.extension().is_some_and(|extension| extension == "sql");
        let renamed = self.renamed.iter().filter(|(_, new)| is_sql(new)).map(|(old, new)| {
            format!("`{}` was `{}`: judged as new, as tools that go by the name see it", shown(new), shown(old))
        });
        let gone = self.gone.iter().filter(|path| is_sql(path));
        renamed
            .chain(gone.map(|path| format!("`{}` is gone since then: what it did is not replayed", shown(path))))
            .collect()
    }
}

fn deepen(word: &str) -> String {
    let branch = word.strip_prefix("origin/").unwrap_or(word);
    let branch = branch.split(['~', '^', '@', ':']).next().unwrap_or_default();
    let branch = if branch == "HEAD" { String::new() } else { format!(" {branch}") };
    format!(
        "fetch the history: `git fetch --unshallow origin`, or as far as needed: `git fetch --deepen=100 origin{branch}`; \
         with GitHub's checkout, `fetch-depth: 0`"
    )
}

/// Where a file lies, and what it leads to.
fn places(path: &str) -> Option<[PathBuf; 2]> {
    let target = fs::canonicalize(path).ok()?;
    Some([fs::canonicalize(parent(path)).ok()?.join(Path::new(path).file_name()?), target])
}

/// The directory around all these files.
fn around(paths: &[String]) -> PathBuf {
    let parents: BTreeSet<PathBuf> = paths
        .iter()
        .filter_map(|path| places(path))
        .flatten()
        .filter_map(|path| Some(path.parent()?.to_path_buf()))
        .collect();
    let mut parents = parents.into_iter();
    let first = parents.next().unwrap_or_default();
    parents.fold(first, |around, next| {
        around.components().zip(next.components()).take_while(|(a, b)| a == b).map(|(part, _)| part).collect()
    })
}

/// What stands between the NUL bytes.
fn names(output: &[u8]) -> impl Iterator<Item = PathBuf> {
    output.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(path_of)
}

fn path_of(bytes: &[u8]) -> PathBuf {
    // A name that is no text is none that we know a file by: it counts as new.
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}
