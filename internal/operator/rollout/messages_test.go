package rollout

import "testing"

// others adds enough namespaces to outweigh one.
func others(census Census) {
	for _, namespace := range []string{"x", "y", "z"} {
		census[namespace] = Tally{Pods: 1, Sound: true}
	}
}

// TestGateMessages checks what users read about each gate: the observed numbers, and the bound that they exceed.
func TestGateMessages(t *testing.T) {
	bounds := bounds
	bounds.MaxErrorRateIncrease = 0.02
	for name, test := range map[string]struct {
		gate        Gate
		observation Observation
		want        string
	}{
		"restarts":           {controlPlaneRestarts, healthy(), "containers of the control plane were restarted 0 times"},
		"unknown restarts":   {controlPlaneRestarts, healthy(func(o *Observation) { o.Restarts = nil }), "the pods of the control plane cannot be read"},
		"connected":          {proxiesConnected, healthy(), "10 of 10 sidecars are connected"},
		"unknown sidecars":   {proxiesConnected, healthy(func(o *Observation) { o.Proxies = nil }), "the control plane does not report which sidecars are connected"},
		"no rejection":       {configurationAccepted, healthy(), "0 sidecars reject their configuration"},
		"unknown rejections": {configurationAccepted, healthy(func(o *Observation) { o.Proxies = nil }), "the control plane does not report which configuration sidecars reject"},
		"a rejection":        {configurationAccepted, healthy(rejecting), "1 sidecars reject their configuration, more than 0: shop/web: bad"},
		"errors":             {errorRate, healthy(), "0.10% of requests fail (10 of 10000 in the last minute), 0.10% failed before the step"},
		"errors, without a baseline": {
			errorRate, healthy(func(o *Observation) {
				o.Flows, o.Baseline = append(between("", 10, "a"), between("old", 0, "b")...), nil
			}),
			"0.50% of requests fail (10 of 2000 in the last minute)",
		},
		"one controller of an earlier version": {
			proxiesConnected, healthy(func(o *Observation) { o.Proxies, o.Earlier = nil, map[string]int{"v1": 1, "v2": 2} }),
			"no new controller serves sidecars yet; they stay connected to 1 controller of version v1 and 2 controllers of version v2",
		},
		"excused sidecars": {
			proxiesConnected, healthy(disconnected, func(o *Observation) { others(o.Proxies.Connected) }),
			"3 of 3 sidecars are connected (10 sidecars in the namespace shop do not count alone, of which these are not: shop/web)",
		},
		"no handover": {sidecarsTakenOver, healthy(), "no sidecar is upgraded in place"},
		"handovers": {
			sidecarsTakenOver, healthy(func(o *Observation) { o.Handovers = Handovers{Begun: Census{"shop": {Pods: 3}}, Done: 2} }), "2 of 3 sidecars that are upgraded in place have taken over",
		},
		"excused handovers": {
			sidecarsTakenOver, healthy(func(o *Observation) {
				o.Handovers = Handovers{Begun: Census{"shop": {Pods: 3, Failed: []string{"shop/web-0: x"}}}, Done: 5}
				others(o.Handovers.Begun)
			}),
			"5 of 6 sidecars that are upgraded in place have taken over (3 sidecars in the namespace shop do not count alone, of which these have not: shop/web-0: x)",
		},
		"failed handovers": {
			sidecarsTakenOver, healthy(func(o *Observation) {
				o.Handovers = Handovers{Begun: Census{"a": {Pods: 3, Failed: []string{"a/b: slow"}}}, Done: 2}
			}),
			"2 of 3 sidecars that are upgraded in place have taken over; a/b: slow",
		},
		"more errors": {errorRate, healthy(failing(500, 10_000)), "5.00% of requests fail (500 of 10000 in the last minute), 0.10% failed before the step, an increase of more than 2.00 percentage points"},
		"Prometheus": {
			prometheusErrorRate, healthy(prometheus(pointer(0.015), 0.005)),
			"the Prometheus at http://prometheus:9090 reports that 1.50% of requests fail, 0.50% failed before the step",
		},
		"Prometheus with more errors": {
			prometheusErrorRate, healthy(prometheus(pointer(0.03), 0.005)),
			"the Prometheus at http://prometheus:9090 reports that 3.00% of requests fail, 0.50% failed before the step, an increase of more than 2.00 percentage points",
		},
	} {
		if got := test.gate(test.observation, bounds).Message; got != test.want {
			t.Errorf("%s: the message is %q, want %q", name, got, test.want)
		}
	}
}

// TestGatesAtTheirBounds checks that a bound itself is tolerated, and that a timeout of 0 means no timeout.
func TestGatesAtTheirBounds(t *testing.T) {
	late := func(o *Observation) { o.UnhealthySince, o.Controller.Ready = noon.Add(-bounds.Timeout), 1 }
	if got := Worst(Evaluate(healthy(late), bounds)); got != Waiting {
		t.Errorf("at the timeout the worst state is %v, want Waiting", got)
	}
	unlimited := bounds
	unlimited.Timeout = 0
	if got := Worst(Evaluate(healthy(late), unlimited)); got != Waiting {
		t.Errorf("without a timeout the worst state is %v, want Waiting", got)
	}
	if r := (Requests{Issued: 100, Failed: 1}); r.exceeds(0.01) {
		t.Errorf("%+v exceeds its own rate", r)
	}
	for _, c := range []struct {
		Requests
		tolerated float64
		want      bool
	}{
		{Requests{Issued: 3, Failed: 1}, 0.01, false},
		{Requests{Issued: 4, Failed: 2}, 0.01, true},
		{Requests{Issued: 51, Failed: 3}, 0.01, false},
		{Requests{Issued: 51, Failed: 5}, 0.01, true},
		{Requests{Issued: 5000, Failed: 200}, 0.03, true},
		{Requests{Issued: 5000, Failed: 200}, 0.035, false},
		{Requests{Issued: 1_000_000, Failed: 1}, 0, true},
		{Requests{Issued: 1_000_000_000, Failed: 10_010_000}, 0.01, true},
	} {
		if got := c.exceeds(c.tolerated); got != c.want {
			t.Errorf("%+v exceeds %v: %t, want %t", c.Requests, c.tolerated, got, c.want)
		}
	}
}
