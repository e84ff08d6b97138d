package diagnosis

import (
	"fmt"
	"io"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// String formats a problem of an object as a line of text, as `osm analyze` prints it.
func (f Finding) String() string {
	return fmt.Sprintf("%s [%s] (%s) %s", f.Severity, f.Code, f.Object(), f.Message)
}

// PrintGroups writes the groups of findings in Parts and their highest severity as text, as `osm check` prints them.
func (f Finding) PrintGroups(w io.Writer) error {
	for _, group := range f.Parts {
		fmt.Fprintln(w, group.Check)
		for _, f := range group.Parts {
			fmt.Fprintf(w, "  %-9s %s\n", f.Severity.Tag(), indent(f.Text(), "            "))
			if f.Remedy != "" {
				fmt.Fprintf(w, "  %-9s -> %s\n", "", indent(f.Remedy, "            "))
			}
		}
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintf(w, "Status: %s\n", strings.ToLower(string(f.Severity)))
	return err
}

// Messages returns the messages of findings in one line.
func Messages(findings []Finding) string {
	return strings.Join(lists.Map(findings, func(f Finding) string { return f.Message }), " ")
}

// Text returns the message, after the object if the finding has one.
func (f Finding) Text() string {
	if f.Kind == "" {
		return f.Message
	}
	return f.Object() + ": " + f.Message
}

// Tag returns the severity in brackets.
func (s Severity) Tag() string { return "[" + strings.ToLower(string(s)) + "]" }

// outcomes are the words of `osm verify` for severities.
var outcomes = map[Severity]string{OK: "Success", Info: "Success", Warning: "Success", Unknown: "Unknown", Error: "Failure"}

// PrintSteps writes a finding and its parts as text, as `osm verify` prints them in OSM.
func (f Finding) PrintSteps(w io.Writer) error {
	f.printSteps(w, "")
	return nil
}

func (f Finding) printSteps(w io.Writer, margin string) {
	title, reason, remedy := f.Check, f.Message, f.Remedy
	switch {
	case len(f.Parts) > 0 && f.Severity == Error:
		reason, remedy = "A verification step failed", "Follow the suggestions of the failed steps below"
	case len(f.Parts) > 0 && f.Severity == Unknown:
		reason = "A verification step could not be run"
	case f.Severity == OK && reason != "":
		title, reason = title+": "+reason, ""
	}
	fmt.Fprintf(w, "%s[+] Context: %s\n%sStatus: %s\n", margin, title, margin, outcomes[f.Severity])
	if reason != "" {
		fmt.Fprintf(w, "%sReason: %s\n", margin, indent(reason, margin+"  "))
	}
	if remedy != "" {
		fmt.Fprintf(w, "%sSuggestion: %s\n", margin, indent(remedy, margin+"  "))
	}
	for _, part := range f.Parts {
		fmt.Fprintln(w)
		part.printSteps(w, margin+"    ")
	}
}

// indent puts a margin before all lines but the first.
func indent(text, margin string) string { return strings.ReplaceAll(text, "\n", "\n"+margin) }
