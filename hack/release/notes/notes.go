package notes

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Commit is one commit.
type Commit struct {
	// Hash is the abbreviated hash.
	Hash string
	// Subject is the first line of the message.
	Subject string
}

// area matches a subject with an area, such as "xds: ".
var area = regexp.MustCompile(`^([a-z][a-z0-9 /,-]*): +(.+)$`)

// other is the section of commits without an area.
const other = "other"

// internal are the areas that do not concern users. Their commits come last, in one section.
var internal = map[string]bool{"bench": true, "e2e": true, "hack": true, "test": true, "testing": true, "ci": true, "images": true, "release": true}

// Parse parses lines with a hash and a subject, as `git log --format="%h %s"` prints them.
func Parse(log string) []Commit {
	var commits []Commit
	for line := range strings.Lines(log) {
		if hash, subject, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			commits = append(commits, Commit{Hash: hash, Subject: subject})
		}
	}
	return commits
}

// Markdown returns the notes of a version. The sections are sorted by area; within one, the first commit is first.
func Markdown(version, earlier string, commits []Commit) string {
	sections := map[string][]string{}
	for _, commit := range slices.Backward(commits) {
		section, change := other, commit.Subject
		if found := area.FindStringSubmatch(commit.Subject); found != nil {
			section, change = found[1], found[2]
			if internal[section] {
				section, change = "tests and tools", commit.Subject
			}
		}
		sections[section] = append(sections[section], fmt.Sprintf("- %s (%s)\n", change, commit.Hash))
	}
	var text strings.Builder
	fmt.Fprintf(&text, "# %s\n\n%d commits since %s.\n", version, len(commits), earlier)
	for _, section := range slices.SortedFunc(maps.Keys(sections), compare) {
		fmt.Fprintf(&text, "\n## %s\n\n%s", section, strings.Join(sections[section], ""))
	}
	return text.String()
}

// compare sorts by name, and the sections that do not concern users last.
func compare(a, b string) int {
	rank := map[string]int{other: 1, "tests and tools": 2}
	if rank[a] != rank[b] {
		return rank[a] - rank[b]
	}
	return strings.Compare(a, b)
}
