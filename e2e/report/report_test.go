package report

import "testing"

// TestStarvedRequestsAreBounded requires that a client without a processor cannot hide failures.
func TestStarvedRequestsAreBounded(t *testing.T) {
	for name, test := range map[string]struct {
		requests Requests
		want     int
	}{
		"none":          {Requests{Requests: 1000, Outcomes: map[string]int{"200": 1000}}, 0},
		"a failure":     {Requests{Requests: 1000, Outcomes: map[string]int{"200": 999, "503": 1}}, 1},
		"some starved":  {Requests{Requests: 1000, Outcomes: map[string]int{"200": 990, Starved: 10}}, 0},
		"many starved":  {Requests{Requests: 1000, Outcomes: map[string]int{"200": 900, Starved: 100}}, 90},
		"only starved":  {Requests{Requests: 50, Outcomes: map[string]int{Starved: 50}}, 50},
		"a few starved": {Requests{Requests: 50, Outcomes: map[string]int{"200": 49, Starved: 1}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.requests.Failed(); got != test.want {
				t.Errorf("%d requests failed, want %d", got, test.want)
			}
		})
	}
}

func TestSkippedRequestsAreBounded(t *testing.T) {
	if !(Requests{Requests: 100, Skipped: 99}).IsRepresentative() || (Requests{Requests: 100, Skipped: 100}).IsRepresentative() {
		t.Error("the bound is not half of the scheduled requests")
	}
}
