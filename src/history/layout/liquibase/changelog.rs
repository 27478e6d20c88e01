//! Changelogs: what they include, in order, and their changesets as migrations.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::changeset::{self, Changeset};
use super::node::{Document, Node};
use super::property::Properties;
use super::{formatted, is_for, is_meant, resource, xml, yaml};
use crate::error::{Error, Result};
use crate::history::{Migration, text};
use crate::history::layout::order::compare;
use crate::history::layout::reading::{DOWN, Translation};
use crate::sql::Dialect;

/// Reads the changelogs among these files as Liquibase would run them.
pub(super) fn read(paths: &BTreeSet<PathBuf>, dialect: Dialect) -> Translation {
    let mut paths: Vec<_> = paths.iter().cloned().collect();
    paths.sort_by(|one, other| compare(one, other));
    let mut reader = Reader {
        dialect,
        claimed: paths.iter().filter_map(|path| Some((path.canonicalize().ok()?, path.clone()))).collect(),
        directories: paths.iter().flat_map(|path| path.ancestors().skip(1)).map(Path::to_path_buf).collect(),
        files: BTreeMap::new(),
        seen: BTreeSet::new(),
        open: Vec::new(),
        properties: Properties::default(),
        first: Vec::new(),
        last: Vec::new(),
        translation: Translation::default(),
    };
    let included = reader.included(&paths);
    let is_included = |path: &PathBuf| path.canonicalize().is_ok_and(|path| included.contains(&path));
    // Without one that includes others, they are one sequence like any directory's files.
    let roots: Vec<_> = paths.iter().filter(|path| !is_included(path)).cloned().collect();
    let (masters, alone): (Vec<_>, Vec<_>) = roots.into_iter().partition(|path| reader.includes_any(path));
    for master in masters {
        reader.sequence(std::slice::from_ref(&master));
    }
    reader.sequence(&alone);
    // What is left includes itself.
    for path in &paths {
        reader.sequence(std::slice::from_ref(path));
    }
    reader.translation
}

/// One changelog, read.
pub(super) struct File {
    /// Its path as the user would type it.
    pub(super) path: PathBuf,
    pub(super) text: Arc<str>,
    document: Document,
}

/// Changelogs that include each other deeper than this are no team's.
const DEPTH_CAP: usize = 64;

struct Reader {
    dialect: Dialect,
    /// The files that were found, by their canonical paths.
    claimed: BTreeMap<PathBuf, PathBuf>,
    /// The directories that they lie in, and all above these.
    directories: BTreeSet<PathBuf>,
    /// What was read, by canonical path; `None` where it could not be, which was said.
    files: BTreeMap<PathBuf, Option<Rc<File>>>,
    /// The files of this and earlier sequences.
    seen: BTreeSet<PathBuf>,
    /// The changelogs that are being read, each included by the one before it.
    open: Vec<PathBuf>,
    properties: Properties,
    /// Changesets of the sequence that say `runOrder`.
    first: Vec<Migration>,
    last: Vec<Migration>,
    translation: Translation,
}

impl Reader {
    /// The canonical paths of what these changelogs include.
    fn included(&mut self, paths: &[PathBuf]) -> BTreeSet<PathBuf> {
        let mut included = BTreeSet::new();
        for path in paths {
            let Some(file) = self.file(path) else { continue };
            for node in file.document.root.children.iter().filter(|node| is_include(node)) {
                let targets = self.targets(&file, node).unwrap_or_default();
                included.extend(targets.into_iter().filter_map(|target| target.canonicalize().ok()));
            }
        }
        included
    }

    fn includes_any(&mut self, path: &Path) -> bool {
        self.file(path).is_some_and(|file| file.document.root.children.iter().any(is_include))
    }

    /// Reads changelogs that are for one database, one after the other.
    fn sequence(&mut self, roots: &[PathBuf]) {
        let first = self.translation.migrations.len();
        let notes = self.translation.notes.len();
        self.properties = Properties::default();
        let mut read = Vec::new();
        for root in roots {
            let canonical = root.canonicalize().unwrap_or_else(|_| root.clone());
            if !self.seen.contains(&canonical) {
                read.extend(self.file(root).map(|_| root));
                self.changelog(root);
            }
        }
        self.translation.migrations.splice(first..first, std::mem::take(&mut self.first));
        self.translation.migrations.append(&mut self.last);
        let Some(root) = read.first() else { return };
        if let Some(migration) = self.translation.migrations.get_mut(first) {
            migration.starts_anew = first > 0;
        }
        let whole = match read.len() {
            1 => format!("`{}` is", root.display()),
            all => format!("`{}` and {} more changelogs, in natural order of their paths, are", root.display(), all - 1),
        };
        let note = format!("{whole} read as liquibase (by `databaseChangeLog`): {ASSUMED}");
        self.translation.notes.insert(notes, note);
    }

    fn changelog(&mut self, path: &Path) {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if self.open.contains(&canonical) {
            let chain: Vec<_> = self.open.iter().chain([&canonical]).map(|path| self.shown(path)).collect();
            let error = Error::input(format!("`{}` includes itself", self.shown(&canonical)))
                .because(chain.join(" -> "))
                .hint("take one of these includes away: it was read without");
            return self.translation.errors.push(error);
        }
        // Its changesets have run already, and run once.
        if !self.seen.insert(canonical.clone()) {
            return;
        }
        if self.open.len() == DEPTH_CAP {
            let error = Error::input(format!("`{}` is included more than {DEPTH_CAP} deep", path.display()));
            return self.translation.errors.push(error);
        }
        if is_sql(path) {
            self.translation.taken.insert(canonical);
            return self.sql(path);
        }
        let Some(file) = self.file(path) else { return };
        self.open.push(canonical);
        let local = std::mem::take(&mut self.properties.local);
        self.elements(&file);
        self.properties.local = local;
        self.open.pop();
    }

    /// Reads the elements of one changelog in order.
    fn elements(&mut self, file: &Rc<File>) {
        let mut skipped = Skipped::default();
        let mut comments = file.document.comments.iter().cloned().peekable();
        let mut last = None;
        let root = &file.document.root;
        // What has a tool of its own run its changesets includes them.
        let wrapped = root.children.iter().flat_map(|node| match node.name.as_str() {
            "modifyChangeSets" => node.children.as_slice(),
            _ => std::slice::from_ref(node),
        });
        for node in wrapped {
            match node.name.as_str() {
                "property" => self.property(file, node),
                "include" | "includeAll" if !self.is_for_us(node) => skipped.includes += 1,
                "include" | "includeAll" => match self.targets(file, node) {
                    Ok(targets) => targets.iter().for_each(|target| self.changelog(target)),
                    Err(error) => self.translation.errors.push(error),
                },
                "changeSet" => {
                    let own: Vec<_> = std::iter::from_fn(|| comments.next_if(|it| it.start < node.range.end)).collect();
                    let mut migrations = self.changeset(file, node, &own, &mut skipped);
                    match self.value(node, "runOrder").as_deref() {
                        Some("first") => self.first.append(&mut migrations),
                        Some("last") => self.last.append(&mut migrations),
                        _ => {
                            last = migrations.len().checked_sub(1).map(|at| self.translation.migrations.len() + at);
                            self.translation.migrations.append(&mut migrations);
                        }
                    }
                }
                name if NO_CHANGESETS.contains(&name) => {}
                name => self.translation.errors.push(
                    Error::input(format!("`{}`: a changelog holds no `{name}`", self.place(file, node)))
                        .hint("it was read without; changesets are called `changeSet`"),
                ),
            }
        }
        // What stands behind the last changeset belongs to none: it is for that one to complain.
        if let Some(comments_of) = last.and_then(|last| self.translation.migrations.get_mut(last)) {
            comments_of.comments.get_or_insert_default().extend(comments);
        }
        self.translation.notes.extend(skipped.sentences(file, self.dialect));
    }

    fn changeset(
        &mut self,
        file: &Rc<File>,
        node: &Node,
        comments: &[Range<usize>],
        skipped: &mut Skipped,
    ) -> Vec<Migration> {
        skipped.all += 1;
        if !self.is_for_us(node) {
            skipped.others += 1;
            return Vec::new();
        }
        if self.value(node, "ignore").as_deref() == Some("true") {
            skipped.ignored += 1;
            return Vec::new();
        }
        let find = |named: &Node, path: &str| self.resource(file, named, path, false);
        let changeset = Changeset { file, node, dialect: self.dialect, properties: &self.properties, find: &find };
        let made = changeset::read(&changeset, comments);
        skipped.all_changes += made.changes;
        skipped.other_changes += made.other_changes;
        skipped.modified += usize::from(made.modified);
        self.translation.errors.extend(made.errors);
        for path in made.rollbacks {
            if let Ok(canonical) = path.canonicalize()
                && self.translation.taken.insert(canonical)
            {
                self.translation.aside.entry(DOWN).or_default().push(path);
            }
        }
        self.translation.taken.extend(made.taken);
        made.migrations
    }

    /// An included SQL file: formatted, or one changeset.
    fn sql(&mut self, path: &Path) {
        let text = match text::of_file(path) {
            Ok(text) => text,
            Err(error) => return self.translation.errors.push(error),
        };
        let shown = path.display().to_string();
        if !formatted::is_formatted(&text) {
            let mut migration = Migration::new(shown, text, self.dialect);
            migration.in_transaction = true;
            return self.translation.migrations.push(migration);
        }
        let (runs, others) = formatted::read(&text, self.dialect);
        self.translation.notes.extend(super::others_note(others, runs.len(), path, self.dialect));
        self.translation.migrations.extend(runs.into_iter().map(|run| {
            let parts = run.parts.unwrap_or_default();
            let mut migration = Migration::of_parts(shown.clone(), text.clone(), parts, self.dialect);
            migration.in_transaction = run.transaction.holds(&migration.statements);
            migration.version = run.version;
            migration
        }));
    }

    fn property(&mut self, file: &Rc<File>, node: &Node) {
        if self.value(node, "dbms").is_some_and(|list| !is_for(&list, self.dialect)) {
            return;
        }
        let global = self.value(node, "global").as_deref() != Some("false");
        if let Some(name) = self.value(node, "name") {
            let value = node.value("value").map(|value| value.text.clone()).unwrap_or_default();
            self.properties.define(&name, &value, global);
        }
        if let Some(path) = self.value(node, "file") {
            match self.resource(file, node, &path, false).and_then(|path| text::of_file(&path)) {
                Ok(text) => self.properties.define_all(&text, global),
                Err(error) => self.translation.errors.push(error),
            }
        }
    }

    /// The files that an include means, in order.
    fn targets(&self, file: &File, node: &Node) -> Result<Vec<PathBuf>> {
        if self.value(node, "ignore").as_deref() == Some("true") {
            return Ok(Vec::new());
        }
        let is_all = node.name == "includeAll";
        let key = if is_all { "path" } else { "file" };
        let path = self.value(node, key).ok_or_else(|| {
            Error::input(format!("`{}`: `{}` says no `{key}`", self.place(file, node), node.name))
        })?;
        if !is_all {
            return Ok(vec![self.resource(file, node, &path, false)?]);
        }
        let optional = self.value(node, "errorIfMissingOrEmpty").as_deref() == Some("false");
        let found = match self.resource(file, node, &path, true) {
            Err(_) if optional => return Ok(Vec::new()),
            found => found?,
        };
        let ending = self.value(node, "endsWithFilter").unwrap_or_default();
        let depth = |name, default| self.value(node, name).and_then(|depth| depth.parse().ok()).unwrap_or(default);
        let depths = depth("minDepth", 1)..=depth("maxDepth", usize::MAX);
        let files = resource::all(&found, &depths, |path| path.to_string_lossy().ends_with(&ending))?;
        Ok(files.into_iter().filter(|path| is_sql(path) || is_changelog_name(path)).collect())
    }

    /// What a path in a changelog leads to.
    fn resource(&self, file: &File, node: &Node, path: &str, is_directory: bool) -> Result<PathBuf> {
        let relative = self.value(node, "relativeToChangelogFile").is_some_and(|said| said.eq_ignore_ascii_case("true"));
        let found = resource::find(&file.path, path, relative, is_directory, &self.directories);
        let found = found.ok_or_else(|| {
            Error::input(format!("could not find `{path}`, which `{}` names", self.place(file, node)))
                .hint(if relative {
                    "it is looked for beside that changelog"
                } else {
                    "it is looked for in the directories above that changelog, and among all that is linted"
                })
        })?;
        let canonical = found.canonicalize().unwrap_or_else(|_| found.clone());
        Ok(self.claimed.get(&canonical).cloned().unwrap_or(found))
    }

    /// A changelog's elements; `None` where it cannot be read, which is said once.
    fn file(&mut self, path: &Path) -> Option<Rc<File>> {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if let Some(known) = self.files.get(&canonical) {
            return known.clone();
        }
        let file = match open(path) {
            Ok(file) => Some(Rc::new(file)),
            Err(error) => {
                self.translation.errors.push(error);
                None
            }
        };
        self.files.insert(canonical, file.clone());
        file
    }

    fn is_for_us(&self, node: &Node) -> bool {
        let said = |name| self.value(node, name);
        let contexts = said("contextFilter").or_else(|| said("context"));
        is_meant(said("dbms").as_deref(), contexts.as_deref(), self.dialect)
    }

    fn value(&self, node: &Node, name: &str) -> Option<String> {
        node.value(name).map(|value| self.properties.expand(&value.text))
    }

    fn place(&self, file: &File, node: &Node) -> String {
        format!("{}:{}", file.path.display(), crate::sql::line_column(&file.text, node.range.start).0)
    }

    fn shown(&self, canonical: &Path) -> String {
        self.claimed.get(canonical).map_or(canonical, PathBuf::as_path).display().to_string()
    }
}

const ASSUMED: &str = "each changeset in a transaction unless it says runInTransaction=\"false\"; contexts, labels and \
                       preconditions are taken to hold";

/// What a changelog holds besides changesets and includes.
const NO_CHANGESETS: [&str; 7] = [
    "preConditions",
    "logicalFilePath",
    "objectQuotingStrategy",
    "changeLogId",
    "changelogId",
    "removeChangeSetProperty",
    "contexts",
];

/// What of a changelog is not judged.
#[derive(Default)]
struct Skipped {
    all: usize,
    /// Changesets, and changes of the rest, that are for other databases.
    others: usize,
    includes: usize,
    all_changes: usize,
    other_changes: usize,
    ignored: usize,
    modified: usize,
}

impl Skipped {
    fn sentences(&self, file: &File, dialect: Dialect) -> Vec<String> {
        let (path, all) = (file.path.display(), self.all);
        let mut notes = Vec::from_iter(super::others_note(self.others, all - self.others, &file.path, dialect));
        if self.includes > 0 {
            let includes = self.includes;
            notes.push(format!("{includes} includes in `{path}` not followed: their context is not {dialect}"));
        }
        if self.other_changes > 0 {
            let (others, all) = (self.other_changes, self.all_changes);
            notes.push(format!("{others} of {all} changes in `{path}` not linted: their `dbms` is not {dialect}"));
        }
        if self.ignored > 0 {
            notes.push(format!("{} of {all} changesets in `{path}` not linted: they say `ignore`", self.ignored));
        }
        if self.modified > 0 {
            notes.push(format!("{} of {all} changesets in `{path}` read without their `modifySql`", self.modified));
        }
        notes
    }
}

fn open(path: &Path) -> Result<File> {
    let text = text::of_file(path)?;
    let is_xml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xml"));
    if !is_xml && !is_changelog_name(path) {
        return Err(Error::input(format!("could not read `{}`", path.display()))
            .because("a changelog is read in XML, YAML, JSON or formatted SQL"));
    }
    // A mark of the encoding is no part of the text, and its place counts.
    let document = if is_xml { xml::read(&text) } else { yaml::read(&text) };
    let document = document.map_err(|cause| {
        let format = if is_xml { "XML" } else { "YAML or JSON" };
        Error::input(format!("could not read `{}` as {format}", path.display())).because(cause)
    })?;
    if document.root.name != "databaseChangeLog" {
        return Err(Error::input(format!("`{}` is no changelog", path.display()))
            .because("it does not begin with `databaseChangeLog`"));
    }
    Ok(File { path: path.to_path_buf(), text, document })
}

fn is_include(node: &Node) -> bool {
    matches!(node.name.as_str(), "include" | "includeAll")
}

fn is_sql(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql"))
}

/// Its format is one of a changelog that is not SQL.
pub(super) fn is_changelog_name(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    ["xml", "yaml", "yml", "json"].contains(&extension.as_str())
}
