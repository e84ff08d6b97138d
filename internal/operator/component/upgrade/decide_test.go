package upgrade_test

import (
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/operator/component/upgrade"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// upgraded is a component with good objects, whose new version is rendered. No gate waits.
func upgraded() upgrade.Observation {
	return upgrade.Observation{Now: start, Key: "new", HasGood: true, NewVersion: true}
}

// during returns the observation some time after the new version was applied.
func during(after time.Duration, rolledOut bool, readySince time.Time) upgrade.Observation {
	o := upgraded()
	o.Now, o.RolledOut, o.Problem = start.Add(after), rolledOut, "no ready pod"
	if rolledOut {
		o.Problem = ""
	}
	o.Latest = upgrade.Attempt{Key: "new", Started: start, ReadySince: readySince}
	return o
}

func TestDecide(t *testing.T) {
	with := func(o upgrade.Observation, edit func(*upgrade.Observation)) upgrade.Observation {
		edit(&o)
		return o
	}
	failed := upgrade.Attempt{Key: "new", Started: start, Failure: "no ready pod"}
	for name, test := range map[string]struct {
		observed upgrade.Observation
		want     upgrade.Decision
	}{
		"the first installation":                     {upgrade.Observation{Now: start, Key: "new"}, upgrade.Decision{Action: upgrade.Install}},
		"the first installation waits for no gate":   {upgrade.Observation{Now: start, Key: "new", NewVersion: true, ControlPlane: "x", Other: "y"}, upgrade.Decision{Action: upgrade.Install}},
		"the first installation is ready":            {upgrade.Observation{Now: start, Key: "new", RolledOut: true}, upgrade.Decision{Action: upgrade.Accept}},
		"nothing changes":                            {upgrade.Observation{Now: start, Key: "new", HasGood: true, Unchanged: true, NewVersion: true, ControlPlane: "x"}, upgrade.Decision{Action: upgrade.Accept}},
		"a failed change is reverted in the spec":    {with(upgraded(), func(o *upgrade.Observation) { o.Unchanged, o.Latest = true, failed }), upgrade.Decision{Action: upgrade.Accept}},
		"the control plane is upgraded first":        {with(upgraded(), func(o *upgrade.Observation) { o.ControlPlane = "version 2" }), upgrade.Decision{Action: upgrade.Wait, Reason: "waits for version 2"}},
		"another component is upgraded":              {with(upgraded(), func(o *upgrade.Observation) { o.Other = "jaeger" }), upgrade.Decision{Action: upgrade.Wait, Reason: "waits for the upgrade of jaeger"}},
		"a change of the spec waits for no gate":     {with(upgraded(), func(o *upgrade.Observation) { o.NewVersion, o.ControlPlane, o.Other = false, "version 2", "jaeger" }), upgrade.Decision{Action: upgrade.Try, Attempt: upgrade.Attempt{Key: "new", Started: start}}},
		"all gates pass":                             {upgraded(), upgrade.Decision{Action: upgrade.Try, Attempt: upgrade.Attempt{Key: "new", Started: start}}},
		"what failed is not tried again":             {with(upgraded(), func(o *upgrade.Observation) { o.Latest = failed }), upgrade.Decision{Action: upgrade.HoldBack, Attempt: failed}},
		"what failed is tried again with a new key":  {with(upgraded(), func(o *upgrade.Observation) { o.Latest, o.Key = failed, "newer" }), upgrade.Decision{Action: upgrade.Try, Attempt: upgrade.Attempt{Key: "newer", Started: start}}},
		"a gate that closes keeps a started upgrade": {with(during(time.Minute, false, time.Time{}), func(o *upgrade.Observation) { o.ControlPlane = "version 2" }), upgrade.Decision{Action: upgrade.Try, Attempt: upgrade.Attempt{Key: "new", Started: start}}},
		"new pods are not ready yet":                 {during(upgrade.Deadline, false, time.Time{}), upgrade.Decision{Action: upgrade.Try, Attempt: upgrade.Attempt{Key: "new", Started: start}}},
		"new pods become ready":                      {during(time.Minute, true, time.Time{}), upgrade.Decision{Action: upgrade.Try, Attempt: upgrade.Attempt{Key: "new", Started: start, ReadySince: start.Add(time.Minute)}}},
		"new pods are ready for a short time":        {during(time.Minute, true, start.Add(time.Minute-upgrade.Soak+1)), upgrade.Decision{Action: upgrade.Try, Attempt: upgrade.Attempt{Key: "new", Started: start, ReadySince: start.Add(time.Minute - upgrade.Soak + 1)}}},
		"new pods stay ready":                        {during(time.Minute, true, start.Add(time.Minute-upgrade.Soak)), upgrade.Decision{Action: upgrade.Accept}},
		"new pods are ready at the deadline":         {during(upgrade.Deadline+1, true, start.Add(upgrade.Deadline)), upgrade.Decision{Action: upgrade.Try, Attempt: upgrade.Attempt{Key: "new", Started: start, ReadySince: start.Add(upgrade.Deadline)}}},
		"an interruption gives pods the whole time": {
			with(during(time.Hour, false, start.Add(time.Minute)), func(o *upgrade.Observation) { o.Resumed = true }),
			upgrade.Decision{Action: upgrade.Try, Attempt: upgrade.Attempt{Key: "new", Started: start.Add(time.Hour)}},
		},
		"pods that are ready after an interruption": {
			with(during(time.Hour, true, start.Add(time.Minute)), func(o *upgrade.Observation) { o.Resumed = true }),
			upgrade.Decision{Action: upgrade.Accept},
		},
		"a refused change is not judged": {
			with(during(time.Hour, false, time.Time{}), func(o *upgrade.Observation) { o.Refused = true }),
			upgrade.Decision{Action: upgrade.Try, Attempt: upgrade.Attempt{Key: "new", Started: start.Add(time.Hour)}},
		},
		"a refusal is recorded once a minute": {
			with(during(time.Minute-1, false, time.Time{}), func(o *upgrade.Observation) { o.Refused = true }),
			upgrade.Decision{Action: upgrade.Try, Attempt: upgrade.Attempt{Key: "new", Started: start}},
		},
		"new pods fail during the soak": {during(time.Minute, false, start.Add(50*time.Second)), upgrade.Decision{Action: upgrade.Try, Attempt: upgrade.Attempt{Key: "new", Started: start}}},
	} {
		if got := upgrade.Decide(test.observed); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

// TestDeadline gives up an attempt, with the reason, and keeps to it.
func TestDeadline(t *testing.T) {
	o := during(upgrade.Deadline+1, false, time.Time{})
	d := upgrade.Decide(o)
	if d.Action != upgrade.HoldBack || d.Attempt.InProgress() || !strings.Contains(d.Attempt.Failure, "not ready 10m0s after the change: no ready pod") {
		t.Fatalf("%+v after the deadline, want that the attempt is given up with the reason", d)
	}
	o.Latest, o.RolledOut, o.Now = d.Attempt, true, o.Now.Add(time.Hour)
	if again := upgrade.Decide(o); again != d {
		t.Errorf("%+v an hour later, want %+v", again, d)
	}
}
