package demo

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestProgress_LogsResultOnce(t *testing.T) {
	cases := map[string]struct {
		goal     Goal
		outcomes []string
		line     string
		proceed  bool
	}{
		"enough successes":           {Goal{"200", 2, 0}, []string{"200", "503", "200"}, lineSucceeded, true},
		"not enough yet":             {Goal{"200", 2, 0}, []string{"200", "503"}, "", true},
		"over without enough":        {Goal{"200", 2, 3}, []string{"200", "503", "404"}, lineFailed, false},
		"over at the last success":   {Goal{"200", 2, 2}, []string{"200", "200"}, lineSucceeded, false},
		"0 expects no status code":   {Goal{"0", 1, 0}, []string{"refused"}, lineSucceeded, true},
		"0 is not met by a 403":      {Goal{"0", 1, 0}, []string{"403"}, "", true},
		"an expected 403":            {Goal{"403", 1, 0}, []string{"reset", "403"}, lineSucceeded, true},
		"succeeded stays succeeded":  {Goal{"200", 1, 3}, []string{"200", "404", "404"}, lineSucceeded, false},
		"the line comes only once":   {Goal{"200", 1, 0}, []string{"200", "200", "200"}, lineSucceeded, true},
		"a code is matched in full ": {Goal{"20", 1, 0}, []string{"200"}, "", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			p := &progress{goal: c.goal, log: slog.New(slog.NewTextHandler(&out, nil))}
			proceed := true
			for _, o := range c.outcomes {
				proceed = p.add(o)
			}
			if proceed != c.proceed {
				t.Errorf("continue is %v, want %v", proceed, c.proceed)
			}
			lines := strings.Count(out.String(), "MAESTRO!")
			if c.line == "" && lines != 0 || c.line != "" && (lines != 1 || !strings.Contains(out.String(), c.line)) {
				t.Errorf("log is %q, want exactly %q", out.String(), c.line)
			}
		})
	}
}
