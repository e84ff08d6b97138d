package checks

import (
	"fmt"
	"io"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Status is how a check ended.
type Status string

// How checks end.
const (
	OK Status = "ok"
	// Warning: it works, though perhaps not as it is meant.
	Warning Status = "warning"
	Failed  Status = "failed"
	// Unknown: the check could not be made.
	Unknown Status = "unknown"
)

// Result is the end of one check.
type Result struct {
	Status Status `json:"status"`
	// What is a sentence about what was found.
	What string `json:"what"`
	// Do says what to do about it; empty when there is nothing to do.
	Do string `json:"do,omitempty"`
}

// Group is what belongs together.
type Group struct {
	Title   string   `json:"title"`
	Results []Result `json:"results"`
}

func ok(format string, args ...any) Result {
	return Result{Status: OK, What: fmt.Sprintf(format, args...)}
}

func failed(do, format string, args ...any) Result {
	return Result{Status: Failed, What: fmt.Sprintf(format, args...), Do: do}
}

func warning(do, format string, args ...any) Result {
	return Result{Status: Warning, What: fmt.Sprintf(format, args...), Do: do}
}

// unread is the result of a question that the API server did not answer.
func unread(subject string, err error) Result {
	r := Result{Status: Unknown, What: fmt.Sprintf("%s cannot be read: %v", subject, err)}
	if apierrors.IsForbidden(err) {
		r.Do = "ask an administrator to run this check, or for the right to read it"
	}
	return r
}

// Worst is the worst status of all results: Failed, then Unknown, Warning, OK.
func Worst(groups []Group) Status {
	order := map[Status]int{OK: 0, Warning: 1, Unknown: 2, Failed: 3}
	worst := OK
	for _, g := range groups {
		for _, r := range g.Results {
			if order[r.Status] > order[worst] {
				worst = r.Status
			}
		}
	}
	return worst
}

// Print writes groups for people.
func Print(w io.Writer, groups []Group) {
	for i, g := range groups {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, g.Title)
		for _, r := range g.Results {
			fmt.Fprintf(w, "  %-9s %s\n", "["+string(r.Status)+"]", indented(r.What))
			if r.Do != "" {
				fmt.Fprintf(w, "  %-9s -> %s\n", "", indented(r.Do))
			}
		}
	}
}

func indented(text string) string { return strings.ReplaceAll(text, "\n", "\n            ") }

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
