package launch

import (
	"testing"
	"time"
)

// TestDecide covers each situation in which a launcher starts or looks at the state.
func TestDecide(t *testing.T) {
	v1, v2 := Image{Build: "1", HotRestart: "11.104"}, Image{Build: "2", HotRestart: "11.104"}
	other := Image{Build: "3", HotRestart: "12.104"}
	ready := func(slot string, image Image) record { return record{slot: slot, image: image, epoch: 4, ready: true} }
	starting := func(slot string, image Image) record { return record{slot: slot, image: image, epoch: 4} }
	for name, test := range map[string]struct {
		view view
		want Role
	}{
		"first slot of a new pod":                           {view{slot: "a", first: true, image: v1, changed: true}, Serve},
		"second slot of a new pod":                          {view{slot: "b", image: v1, changed: true}, Idle},
		"second slot beside the first":                      {view{slot: "b", image: v1, changed: true, serving: ready("a", v1)}, Idle},
		"serving slot goes on":                              {view{slot: "a", first: true, image: v1, running: Serve, serving: ready("a", v1)}, Serve},
		"serving slot restarted":                            {view{slot: "a", first: true, image: v1, serving: ready("a", v1)}, Serve},
		"serving slot restarted with another image":         {view{slot: "a", first: true, image: v2, changed: true, serving: ready("a", v1)}, Serve},
		"idle slot restarted":                               {view{slot: "b", image: v1, serving: ready("a", v1)}, Idle},
		"idle slot with a new image":                        {view{slot: "b", image: v2, changed: true, serving: ready("a", v1)}, Handover},
		"idle slot after a failed attempt":                  {view{slot: "b", image: v2, changed: true, failed: true, serving: ready("a", v1)}, Idle},
		"idle slot whose Envoy crashed too often":           {view{slot: "b", image: v2, serving: ready("a", v1)}, Idle},
		"new image before the serving one is ready":         {view{slot: "b", image: v2, changed: true, serving: starting("a", v1)}, Idle},
		"new image that cannot take over":                   {view{slot: "b", image: other, changed: true, serving: ready("a", v1)}, Idle},
		"new image is the serving one":                      {view{slot: "a", first: true, image: v2, changed: true, serving: ready("b", v2)}, Idle},
		"the other slot took over":                          {view{slot: "a", first: true, image: v1, running: Serve, serving: ready("b", v2)}, Drain},
		"the other slot took over and crashed":              {view{slot: "a", first: true, image: v1, running: Drain, serving: starting("b", v2)}, Drain},
		"drained slot":                                      {view{slot: "a", first: true, image: v1, serving: ready("b", v2)}, Idle},
		"drained slot restarted":                            {view{slot: "a", first: true, image: v1, serving: ready("b", v2)}, Idle},
		"role came back while draining":                     {view{slot: "a", first: true, image: v1, running: Drain, serving: starting("a", v1)}, Serve},
		"new sandbox, this slot did not serve":              {view{slot: "a", first: true, image: v1, serving: ready("b", v2), absent: time.Second, grace: 4 * time.Second}, Idle},
		"new sandbox, this slot served":                     {view{slot: "b", image: v2, serving: ready("b", v2)}, Serve},
		"serving slot stays away":                           {view{slot: "a", first: true, image: v1, serving: ready("b", v2), absent: 4 * time.Second, grace: 4 * time.Second}, Serve},
		"new image while the serving slot is away":          {view{slot: "b", image: v2, changed: true, serving: ready("a", v1), absent: time.Second, grace: 4 * time.Second}, Idle},
		"new sandbox with an empty volume, first slot":      {view{slot: "a", first: true, image: v1, changed: true}, Serve},
		"new sandbox with an empty volume, upgraded second": {view{slot: "b", image: v2, changed: true, serving: ready("a", v1)}, Handover},
	} {
		t.Run(name, func(t *testing.T) {
			if got, reason := decide(test.view); got != test.want || reason == "" {
				t.Errorf("the slot shall %s (%s), want %s", got, reason, test.want)
			}
		})
	}
}

// TestDecide_OneServes checks that of two slots with the same record at most one serves, whatever they run.
func TestDecide_OneServes(t *testing.T) {
	images := []Image{{"1", "11.104"}, {"2", "11.104"}, {"1", "12.104"}}
	roles := []Role{Idle, Serve, Handover, Drain}
	for _, serving := range []record{{}, {slot: "a"}, {slot: "b"}, {slot: "a", ready: true, image: images[0]}, {slot: "b", ready: true, image: images[1]}} {
		for _, first := range images {
			for _, second := range images {
				for bits := range 4 {
					for _, firstRuns := range roles {
						for _, secondRuns := range roles {
							a, _ := decide(view{slot: "a", first: true, image: first, changed: bits&1 != 0, running: firstRuns, serving: serving})
							b, _ := decide(view{slot: "b", image: second, changed: bits&2 != 0, running: secondRuns, serving: serving})
							if a == Serve && b == Serve || a == Handover && b == Handover {
								t.Fatalf("both slots %s with the record %+v", a, serving)
							}
						}
					}
				}
			}
		}
	}
}
