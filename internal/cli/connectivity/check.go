package connectivity

import (
	"fmt"
	"io"
	"strings"
)

// Status is the status of a check.
type Status string

// Statuses of a check.
const (
	Success Status = "Success"
	Failure Status = "Failure"
	// Unknown means that the check could not run.
	Unknown Status = "Unknown"
)

// Check is a check, or a group of checks.
type Check struct {
	// Context describes the check.
	Context string `json:"context"`
	// Status is the worst status of Parts, if there are any.
	Status Status `json:"status"`
	Reason string `json:"reason,omitempty"`
	// Suggestion is the remedy. It is empty if none is needed.
	Suggestion string  `json:"suggestion,omitempty"`
	Parts      []Check `json:"checks,omitempty"`
}

func success(format string, args ...any) Check {
	return Check{Context: fmt.Sprintf(format, args...), Status: Success}
}

func failure(context, reason, suggestion string) Check {
	return Check{Context: context, Status: Failure, Reason: reason, Suggestion: suggestion}
}

func unknown(context string, err error, suggestion string) Check {
	return Check{Context: context, Status: Unknown, Reason: err.Error(), Suggestion: suggestion}
}

// Group combines checks.
func Group(context string, parts ...Check) Check {
	c := Check{Context: context, Status: Success, Parts: parts}
	for _, part := range parts {
		if part.Status == Failure || part.Status == Unknown && c.Status == Success {
			c.Status = part.Status
		}
	}
	switch c.Status {
	case Failure:
		c.Reason, c.Suggestion = "A verification step failed", "Follow the suggestions of the failed steps below"
	case Unknown:
		c.Reason = "A verification step could not be run"
	case Success:
	}
	return c
}

// Print writes a tree of checks as text.
func (c Check) Print(w io.Writer) { c.print(w, "") }

func (c Check) print(w io.Writer, indent string) {
	fmt.Fprintf(w, "%s[+] Context: %s\n", indent, c.Context)
	line := func(title, text string) {
		if text != "" {
			fmt.Fprintf(w, "%s%s: %s\n", indent, title, strings.ReplaceAll(text, "\n", "\n"+indent+"  "))
		}
	}
	line("Status", string(c.Status))
	line("Reason", c.Reason)
	line("Suggestion", c.Suggestion)
	for _, part := range c.Parts {
		fmt.Fprintln(w)
		part.print(w, indent+"    ")
	}
}
