package rollout

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func pointer[T any](v T) *T { return &v }

var bounds = Bounds{Soak: time.Minute, Timeout: 10 * time.Minute, MaxErrorRateIncrease: 0.01}

// healthy is an observation that passes every gate, with changes.
func healthy(change ...func(*Observation)) Observation {
	o := Observation{
		Now: noon, UnhealthySince: noon, HealthySince: noon.Add(-2 * time.Minute),
		Controller: Replicas{2, 2}, Injector: Replicas{2, 2}, Restarts: pointer(0),
		Proxies:           &Proxies{Census{"shop": {Pods: 10, Sound: true}}, Census{"shop": {Pods: 10, Sound: true}}},
		CertificatesUntil: map[string]time.Time{"shop": noon.Add(time.Hour)},
		Flows:             []Flow{{Requests: Requests{Issued: 10_000, Failed: 10}}}, Baseline: pointer(0.001),
	}
	for _, c := range change {
		c(&o)
	}
	return o
}

// disconnected has a sidecar that is not connected, and rejecting one that rejects its configuration.
func disconnected(o *Observation) {
	o.Proxies.Connected["shop"] = Tally{Pods: 10, Failed: []string{"shop/web"}}
}

func rejecting(o *Observation) {
	o.Proxies.Accepted["shop"] = Tally{Pods: 10, Failed: []string{"shop/web: bad"}}
}

// failing sets the numbers of failed and issued requests.
func failing(failed, issued uint64) func(*Observation) {
	return func(o *Observation) { o.Flows = []Flow{{Requests: Requests{Issued: issued, Failed: failed}}} }
}

// prometheus sets the error rates that Prometheus reports.
func prometheus(rate *float64, baseline float64) func(*Observation) {
	return func(o *Observation) {
		o.Prometheus = &Prometheus{Address: "http://prometheus:9090", ErrorRate: rate, Reason: "it cannot be reached: connection refused", Baseline: baseline}
	}
}

// A server that only spec.observability names cannot stop an upgrade by its absence, but by what it reports.
func TestPrometheusOfTheMeshIsOptional(t *testing.T) {
	optional := func(o *Observation) { o.Prometheus.Optional = true }
	for name, test := range map[string]struct {
		rate *float64
		want State
	}{
		"it is unreachable":             {nil, Passed},
		"it reports an increase":        {pointer(0.5), Failed},
		"it reports the same as before": {pointer(0.0), Passed},
	} {
		verdict := prometheusErrorRate(healthy(prometheus(test.rate, 0), optional), Bounds{MaxErrorRateIncrease: 0.01})
		if verdict.State != test.want || test.rate == nil && !strings.Contains(verdict.Message, "not evaluated") {
			t.Errorf("%s: %+v, want %v", name, verdict, test.want)
		}
	}
}

func TestUnreachablePrometheus_MessageHasRemedy(t *testing.T) {
	o := healthy(prometheus(nil, 0), func(o *Observation) { o.UnhealthySince = noon.Add(-time.Hour) })
	want := "PrometheusErrorRate: the Prometheus at http://prometheus:9090 does not report the error rate: it cannot be reached: connection refused; " +
		"correct spec.upgrade.gates.prometheus, or remove it, for longer than 10m0s"
	if got := Explain(Evaluate(o, bounds), Failed); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestGates(t *testing.T) {
	timedOut := func(o *Observation) { o.UnhealthySince = noon.Add(-time.Hour) }
	for name, c := range map[string]struct {
		observation Observation
		gate        string
		want        State
	}{
		"healthy":                 {healthy(), "", Passed},
		"controller is not ready": {healthy(func(o *Observation) { o.Controller.Ready = 1 }), "ReplicasReady", Waiting},
		"controller is not ready during the soak":     {healthy(func(o *Observation) { o.Controller.Ready, o.HealthySince = 1, time.Time{} }), "ReplicasReady", Waiting},
		"controller is not ready before the timeout":  {healthy(timedOut, func(o *Observation) { o.Controller.Ready = 1 }), "ReplicasReady", Failed},
		"no desired injector":                         {healthy(func(o *Observation) { o.Injector = Replicas{} }), "ReplicasReady", Waiting},
		"container was restarted":                     {healthy(func(o *Observation) { o.Restarts = pointer(1) }), "ControlPlaneRestarts", Failed},
		"restarts are unknown":                        {healthy(func(o *Observation) { o.Restarts = nil }), "ControlPlaneRestarts", Waiting},
		"sidecar is not connected":                    {healthy(disconnected), "ProxiesConnected", Waiting},
		"sidecars are unknown":                        {healthy(func(o *Observation) { o.Proxies = nil }), "ProxiesConnected", Waiting},
		"sidecars are unknown until the timeout":      {healthy(timedOut, func(o *Observation) { o.Proxies = nil }), "ProxiesConnected", Failed},
		"sidecar rejects its configuration":           {healthy(rejecting), "ConfigurationAccepted", Failed},
		"certificate has expired":                     {healthy(func(o *Observation) { o.CertificatesUntil["shop"] = noon.Add(-time.Second) }), "CertificatesValid", Failed},
		"certificates are unknown":                    {healthy(func(o *Observation) { o.CertificatesUntil = nil }), "CertificatesValid", Waiting},
		"no certificates":                             {healthy(func(o *Observation) { o.CertificatesUntil = map[string]time.Time{} }), "CertificatesValid", Passed},
		"more requests fail":                          {healthy(failing(200, 10_000)), "ErrorRate", Failed},
		"2 of 51 fail, not significant":               {healthy(failing(2, 51)), "ErrorRate", Passed},
		"12 of 51 fail, significant":                  {healthy(failing(12, 51)), "ErrorRate", Failed},
		"1.4% of 100000 fail, significant":            {healthy(failing(1400, 100_000)), "ErrorRate", Failed},
		"3 of 3 fail":                                 {healthy(failing(3, 3)), "ErrorRate", Failed},
		"no requests":                                 {healthy(failing(0, 0)), "ErrorRate", Passed},
		"as many fail as in the baseline":             {healthy(failing(3000, 10_000), func(o *Observation) { o.Baseline = pointer(0.3) }), "ErrorRate", Passed},
		"error rate is unknown":                       {healthy(func(o *Observation) { o.Flows = nil }), "ErrorRate", Waiting},
		"baseline is unknown":                         {healthy(func(o *Observation) { o.Baseline = nil }), "ErrorRate", Passed},
		"baseline is unknown, error rate is high":     {healthy(failing(200, 10_000), func(o *Observation) { o.Baseline = nil }), "ErrorRate", Passed},
		"no Prometheus is configured":                 {healthy(), "", Passed},
		"Prometheus reports a tolerated increase":     {healthy(prometheus(pointer(0.011), 0.001)), "", Passed},
		"Prometheus reports too high an increase":     {healthy(prometheus(pointer(0.012), 0.001)), "PrometheusErrorRate", Failed},
		"Prometheus is unreachable":                   {healthy(prometheus(nil, 0)), "PrometheusErrorRate", Waiting},
		"Prometheus is unreachable until the timeout": {healthy(timedOut, prometheus(nil, 0)), "PrometheusErrorRate", Failed},
		"soak is not complete":                        {healthy(func(o *Observation) { o.HealthySince = noon.Add(-time.Second) }), soakGate, Waiting},
		"soak is longer than the timeout":             {healthy(timedOut, func(o *Observation) { o.HealthySince = noon.Add(-time.Second) }), soakGate, Waiting},
		"start of the soak is unknown":                {healthy(func(o *Observation) { o.HealthySince = time.Time{} }), soakGate, Waiting},
	} {
		t.Run(name, func(t *testing.T) {
			verdicts := Evaluate(c.observation, bounds)
			if got := Worst(verdicts); got != c.want {
				t.Errorf("the worst state is %v, want %v: %+v", got, c.want, verdicts)
			}
			if c.want != Passed && !strings.HasPrefix(Explain(verdicts, c.want), c.gate+": ") {
				t.Errorf("explanation %q does not begin with %s", Explain(verdicts, c.want), c.gate)
			}
		})
	}
}

// TestMissingObservation_NeverPasses removes one value of an observation.
func TestMissingObservation_NeverPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := healthy(func(o *Observation) {
			o.UnhealthySince = noon.Add(-time.Duration(rapid.IntRange(0, 1000).Draw(t, "since")) * time.Second)
		})
		switch rapid.IntRange(0, 4).Draw(t, "missing") {
		case 0:
			o.Proxies = nil
		case 1:
			o.Flows = nil
		case 2:
			o.CertificatesUntil = nil
		case 3:
			o.Restarts = nil
		case 4:
			prometheus(nil, rapid.Float64Range(0, 1).Draw(t, "before"))(&o)
		}
		if Worst(Evaluate(o, bounds)) == Passed {
			t.Fatalf("%+v passes", o)
		}
	})
	if Worst(nil) == Passed {
		t.Error("no verdicts pass")
	}
}

func TestPassedExceptSoak(t *testing.T) {
	soaking := func(o *Observation) { o.HealthySince = time.Time{} }
	for name, c := range map[string]struct {
		observation Observation
		want        bool
	}{
		"healthy":                           {healthy(), true},
		"only the soak is missing":          {healthy(soaking), true},
		"sidecar is not connected":          {healthy(soaking, disconnected), false},
		"sidecar rejects its configuration": {healthy(rejecting), false},
		"requests are unknown":              {healthy(func(o *Observation) { o.Flows = nil }), false},
	} {
		if got := PassedExceptSoak(Evaluate(c.observation, bounds)); got != c.want {
			t.Errorf("%s: PassedExceptSoak = %t, want %t", name, got, c.want)
		}
	}
	if PassedExceptSoak(nil) {
		t.Error("PassedExceptSoak is true without verdicts")
	}
}

// The messages of gates say who serves the mesh while the new version does not start.
func TestStuckVersionChangeNamesWhoServes(t *testing.T) {
	stuck := healthy(func(o *Observation) {
		o.Controller, o.Injector, o.Proxies, o.Earlier = Replicas{Desired: 3}, Replicas{Desired: 2}, nil, map[string]int{"v0.4.0": 3}
	})
	got := Explain(Evaluate(stuck, bounds), Waiting)
	for _, want := range []string{
		"0 of 3 new controllers and 0 of 2 new injectors are ready; 3 controllers of version v0.4.0 still run, and serve the mesh",
		"no new controller serves sidecars yet; they stay connected to 3 controllers of version v0.4.0",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if got := Explain(Evaluate(healthy(func(o *Observation) { o.Controller.Ready = 0 }), bounds), Waiting); got != "ReplicasReady: 0 of 2 controllers and 2 of 2 injectors are ready" {
		t.Errorf("without an earlier version: %q", got)
	}
}
