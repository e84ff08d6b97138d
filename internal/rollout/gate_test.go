package rollout

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func pointer[T any](v T) *T { return &v }

var bounds = Bounds{Soak: time.Minute, Timeout: 10 * time.Minute, MaxErrorRateIncrease: 0.01}

// well is an observation that passes every gate, changed by what a test is about.
func well(change ...func(*Observation)) Observation {
	o := Observation{
		Now: noon, UnwellSince: noon, WellSince: noon.Add(-2 * time.Minute),
		Controller: Replicas{2, 2}, Injector: Replicas{2, 2}, Restarts: pointer(0),
		Proxies: &Proxies{Live: 10, Connected: 10}, CertificatesUntil: pointer(noon.Add(time.Hour)),
		Requests: &Requests{Issued: 10_000, Failed: 10}, Baseline: pointer(0.001),
	}
	for _, c := range change {
		c(&o)
	}
	return o
}

// failing is how many requests fail.
func failing(failed, issued uint64) func(*Observation) {
	return func(o *Observation) { o.Requests = &Requests{Issued: issued, Failed: failed} }
}

// prometheus is an observation of one.
func prometheus(rate *float64, before float64) func(*Observation) {
	return func(o *Observation) {
		o.Prometheus = &Prometheus{Address: "http://prometheus:9090", ErrorRate: rate, Reason: "it cannot be reached: connection refused", Baseline: before}
	}
}

func TestAPrometheusThatNeverAnswersIsNamedWithTheRemedy(t *testing.T) {
	o := well(prometheus(nil, 0), func(o *Observation) { o.UnwellSince = noon.Add(-time.Hour) })
	want := "PrometheusErrorRate: the Prometheus at http://prometheus:9090 does not tell how many requests fail: it cannot be reached: connection refused; " +
		"correct spec.upgrade.gates.prometheus, or remove it, for longer than 10m0s"
	if got := Explain(Judge(o, bounds), Failed); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestGates(t *testing.T) {
	late := func(o *Observation) { o.UnwellSince = noon.Add(-time.Hour) }
	for name, c := range map[string]struct {
		observation Observation
		gate        string
		want        State
	}{
		"all is well":                          {well(), "", Passed},
		"a controller is not ready":            {well(func(o *Observation) { o.Controller.Ready = 1 }), "ReplicasReady", Waiting},
		"one is moved during the soak":         {well(func(o *Observation) { o.Controller.Ready, o.WellSince = 1, time.Time{} }), "ReplicasReady", Waiting},
		"it never becomes ready":               {well(late, func(o *Observation) { o.Controller.Ready = 1 }), "ReplicasReady", Failed},
		"no injector is wanted":                {well(func(o *Observation) { o.Injector = Replicas{} }), "ReplicasReady", Waiting},
		"a container was restarted":            {well(func(o *Observation) { o.Restarts = pointer(1) }), "ControlPlaneRestarts", Failed},
		"restarts are unknown":                 {well(func(o *Observation) { o.Restarts = nil }), "ControlPlaneRestarts", Waiting},
		"a sidecar is not connected":           {well(func(o *Observation) { o.Proxies.Connected = 9 }), "ProxiesConnected", Waiting},
		"sidecars are unknown":                 {well(func(o *Observation) { o.Proxies = nil }), "ProxiesConnected", Waiting},
		"sidecars are unknown for long":        {well(late, func(o *Observation) { o.Proxies = nil }), "ProxiesConnected", Failed},
		"a sidecar rejects":                    {well(func(o *Observation) { o.Proxies.Rejected = 1 }), "ConfigurationAccepted", Failed},
		"a certificate has ended":              {well(func(o *Observation) { o.CertificatesUntil = pointer(noon.Add(-time.Second)) }), "CertificatesValid", Failed},
		"certificates are unknown":             {well(func(o *Observation) { o.CertificatesUntil = nil }), "CertificatesValid", Waiting},
		"there are no certificates":            {well(func(o *Observation) { o.CertificatesUntil = &time.Time{} }), "CertificatesValid", Passed},
		"more requests fail":                   {well(failing(200, 10_000)), "ErrorRate", Failed},
		"few of few fail, which may be chance": {well(failing(2, 51)), "ErrorRate", Passed},
		"many of few fail, which may not":      {well(failing(12, 51)), "ErrorRate", Failed},
		"a little more of many fail than may":  {well(failing(1400, 100_000)), "ErrorRate", Failed},
		"all of a handful fail":                {well(failing(3, 3)), "ErrorRate", Failed},
		"nobody asks for anything":             {well(failing(0, 0)), "ErrorRate", Passed},
		"as many fail as before":               {well(failing(3000, 10_000), func(o *Observation) { o.Baseline = pointer(0.3) }), "ErrorRate", Passed},
		"the rate is unknown":                  {well(func(o *Observation) { o.Requests = nil }), "ErrorRate", Waiting},
		"an earlier version cannot tell":       {well(func(o *Observation) { o.Requests, o.Mute = nil, true }), "ErrorRate", Passed},
		"the rate before is unknown":           {well(func(o *Observation) { o.Baseline = nil }), "ErrorRate", Passed},
		"unknown before, high now":             {well(failing(200, 10_000), func(o *Observation) { o.Baseline = nil }), "ErrorRate", Failed},
		"no Prometheus is asked":               {well(), "", Passed},
		"Prometheus sees nothing worse":        {well(prometheus(pointer(0.011), 0.001)), "", Passed},
		"Prometheus sees more fail":            {well(prometheus(pointer(0.012), 0.001)), "PrometheusErrorRate", Failed},
		"Prometheus does not answer":           {well(prometheus(nil, 0)), "PrometheusErrorRate", Waiting},
		"Prometheus never answers":             {well(late, prometheus(nil, 0)), "PrometheusErrorRate", Failed},
		"it has not been well long enough":     {well(func(o *Observation) { o.WellSince = noon.Add(-time.Second) }), soakGate, Waiting},
		"a soak longer than the timeout":       {well(late, func(o *Observation) { o.WellSince = noon.Add(-time.Second) }), soakGate, Waiting},
		"it is not known since when":           {well(func(o *Observation) { o.WellSince = time.Time{} }), soakGate, Waiting},
	} {
		t.Run(name, func(t *testing.T) {
			verdicts := Judge(c.observation, bounds)
			if got := Worst(verdicts); got != c.want {
				t.Errorf("the worst state is %v, want %v: %+v", got, c.want, verdicts)
			}
			if c.want != Passed && !strings.HasPrefix(Explain(verdicts, c.want), c.gate+": ") {
				t.Errorf("explained as %q, want it to begin with %s", Explain(verdicts, c.want), c.gate)
			}
		})
	}
}

// TestNothingPassesUnseen holds for any observation with one part missing.
func TestNothingPassesUnseen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := well(func(o *Observation) {
			o.UnwellSince = noon.Add(-time.Duration(rapid.IntRange(0, 1000).Draw(t, "since")) * time.Second)
		})
		switch rapid.IntRange(0, 4).Draw(t, "missing") {
		case 0:
			o.Proxies = nil
		case 1:
			o.Requests = nil
		case 2:
			o.CertificatesUntil = nil
		case 3:
			o.Restarts = nil
		case 4:
			prometheus(nil, rapid.Float64Range(0, 1).Draw(t, "before"))(&o)
		}
		if Worst(Judge(o, bounds)) == Passed {
			t.Fatalf("%+v passes", o)
		}
	})
	if Worst(nil) == Passed {
		t.Error("without any gate everything passes")
	}
}

func TestWellAsksAllButTheSoak(t *testing.T) {
	soaking := func(o *Observation) { o.WellSince = time.Time{} }
	for name, c := range map[string]struct {
		observation Observation
		want        bool
	}{
		"all is well":                  {well(), true},
		"only the soak is left":        {well(soaking), true},
		"a sidecar is not connected":   {well(soaking, func(o *Observation) { o.Proxies.Connected = 9 }), false},
		"a sidecar rejects":            {well(func(o *Observation) { o.Proxies.Rejected = 1 }), false},
		"what requests do is not read": {well(func(o *Observation) { o.Requests = nil }), false},
	} {
		if got := Well(Judge(c.observation, bounds)); got != c.want {
			t.Errorf("%s: Well = %t, want %t", name, got, c.want)
		}
	}
	if Well(nil) {
		t.Error("Well without verdicts: nobody has looked")
	}
}
