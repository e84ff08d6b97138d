package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// sidecars returns n sidecars of the new revision in each namespace.
func sidecars(n int, namespaces ...string) []Sidecar {
	var list []Sidecar
	for _, namespace := range namespaces {
		for i := range n {
			name := fmt.Sprintf("web-%d", i)
			list = append(list, Sidecar{Namespace: namespace, Pod: name, UID: namespace + "/" + name, Workload: namespace + "/web", Revision: "new"})
		}
	}
	return list
}

// exceptPods reports the sidecars of all other pods as connected.
func exceptPods(pods ...string) func(string) bool {
	return func(uid string) bool {
		return !slices.ContainsFunc(pods, func(prefix string) bool { return strings.HasPrefix(uid, prefix) })
	}
}

func TestSidecarsThatMustBeConnected(t *testing.T) {
	one := sidecars(1, "shop")
	unpulled := Sidecar{Namespace: "shop", Pod: "late", UID: "late", Revision: "new", Problem: "ImagePullBackOff"}
	reversed := sidecars(2, "shop")
	slices.Reverse(reversed)
	four := []string{"a", "b", "c", "d"}
	apart := append(sidecars(1, "a", "b", "c"), Sidecar{Namespace: "d", Pod: "canary", UID: "d/canary", Revision: "newest"}, Sidecar{Namespace: "d", Pod: "other", UID: "d/other", Revision: "newest"})
	versions := append(sidecars(1, four...), Sidecar{Namespace: "a", Pod: "old", UID: "a/old", Revision: "old"}, Sidecar{Namespace: "a", Pod: "web", UID: "a/web", Revision: "new"},
		Sidecar{Namespace: "d", Pod: "old", UID: "d/old", Revision: "old"})
	mixed := append(sidecars(2, four...), Sidecar{Namespace: "d", Pod: "canary", UID: "d/canary", Revision: "newest"})
	for name, c := range map[string]struct {
		connection Connection
		live       int
		missing    []string
		excused    string
	}{
		"all are connected": {Connection{Expected: sidecars(2, "shop"), IsConnected: exceptPods()}, 2, nil, ""},
		"one is not":        {Connection{Expected: sidecars(2, "shop"), IsConnected: exceptPods("shop/web-1")}, 2, []string{"shop/web-1"}, ""},
		"it was not before either": {
			Connection{Expected: sidecars(2, "shop"), IsConnected: exceptPods("shop/web-1"), Before: map[string]int{"shop/web": 1}}, 1, nil, "",
		},
		"it was not before, as an earlier operator has recorded": {
			Connection{Expected: sidecars(2, "shop"), IsConnected: exceptPods("shop/web-1"), PodsBefore: []string{"shop/web-1"}}, 1, nil, "",
		},
		"it was not before, and is now": {
			Connection{Expected: sidecars(2, "shop"), IsConnected: exceptPods(), Before: map[string]int{"shop/web": 1}}, 2, nil, "",
		},
		"another one of a workload of which one was not before": {
			Connection{Expected: sidecars(3, "shop"), IsConnected: exceptPods("shop/web-0", "shop/web-2"), Before: map[string]int{"shop/web": 1}}, 2, []string{"shop/web-2"}, "",
		},
		"another workload was not before": {
			Connection{Expected: sidecars(2, "shop"), IsConnected: exceptPods("shop/web-1"), Before: map[string]int{"shop/db": 1}}, 2, []string{"shop/web-1"}, "",
		},
		"an image cannot be pulled, another sidecar runs": {
			Connection{Expected: append(one, unpulled), IsConnected: exceptPods("late"), Desired: "new"}, 1, nil, "",
		},
		"the image of the version cannot be pulled": {
			Connection{Expected: []Sidecar{unpulled}, IsConnected: exceptPods("late"), Desired: "new"}, 1, []string{"shop/late (ImagePullBackOff)"}, "",
		},
		"the image of an old version cannot be pulled": {
			Connection{Expected: []Sidecar{unpulled}, IsConnected: exceptPods("late"), Desired: "newest"}, 0, nil, "",
		},
		"one namespace of four is blocked": {
			Connection{Expected: sidecars(2, four...), IsConnected: exceptPods("d/"), Desired: "new"}, 6, nil, "d",
		},
		"two namespaces of four are blocked": {
			Connection{Expected: sidecars(1, four...), IsConnected: exceptPods("c/", "d/"), Desired: "new"}, 4, []string{"c/web-0", "d/web-0"}, "",
		},
		"one namespace of three is blocked": {
			Connection{Expected: sidecars(1, four[1:]...), IsConnected: exceptPods("d/"), Desired: "new"}, 3, []string{"d/web-0"}, "",
		},
		"two namespaces of five are blocked": {
			Connection{Expected: sidecars(1, append(four, "e")...), IsConnected: exceptPods("d/", "e/"), Desired: "new"}, 5, []string{"d/web-0", "e/web-0"}, "",
		},
		"one namespace of three is blocked in part": {
			Connection{Expected: sidecars(2, four[1:]...), IsConnected: exceptPods("d/web-1"), Desired: "new"}, 6, []string{"d/web-1"}, "",
		},
		"one of both sidecars of the new version is not connected": {
			Connection{Expected: apart, IsConnected: exceptPods("d/canary"), Desired: "newest"}, 5, []string{"d/canary"}, "",
		},
		"one namespace of four has several versions": {
			Connection{Expected: versions, IsConnected: exceptPods("d/old"), Desired: "new"}, 5, nil, "d",
		},
		"the image of the version cannot be pulled, and an earlier one runs": {
			Connection{Expected: []Sidecar{{Namespace: "a", Pod: "old", UID: "old", Revision: "old"}, unpulled}, IsConnected: exceptPods("late"), Desired: "new"},
			2,
			[]string{"shop/late (ImagePullBackOff)"},
			"",
		},
		"several, in another order": {
			Connection{Expected: reversed, IsConnected: exceptPods("shop/")}, 2, []string{"shop/web-0", "shop/web-1"}, "",
		},
		"the only sidecar of the new version is not connected": {
			Connection{Expected: mixed, IsConnected: exceptPods("d/canary"), Desired: "newest"}, 9, []string{"d/canary"}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			census := c.connection.Census()
			got := census.evaluate(intstr.FromInt32(0))
			if live := census.without(got.excused).pods(); live != c.live || !slices.Equal(got.failed, c.missing) || got.excused != c.excused {
				t.Errorf("%d sidecars and %+v, want %d, %v and %q", live, got, c.live, c.missing, c.excused)
			}
		})
	}
}

func TestDisconnectedPods(t *testing.T) {
	pods := sidecars(4, "shop")
	slices.Reverse(pods)
	pods[0].Problem = "ImagePullBackOff"
	pods = append(pods, Sidecar{UID: "db-0", Workload: "shop/db"})
	got := Connection{Expected: pods, IsConnected: exceptPods("shop/web-0", "shop/web-2", "shop/web-3")}.Disconnected()
	if want := map[string]int{"shop/web": 2}; !maps.Equal(got, want) {
		t.Errorf("%v are disconnected, want %v", got, want)
	}
}

func TestMissingSidecarsAreNamedAndTolerated(t *testing.T) {
	missing := func(n int) *Proxies {
		p := Connection{Expected: sidecars(1000, "shop"), IsConnected: func(uid string) bool {
			return !slices.Contains([]string{"0", "1", "2", "3", "4", "5", "6"}[:n], strings.TrimPrefix(uid, "shop/web-"))
		}}.Census()
		return &Proxies{Connected: p}
	}
	for name, c := range map[string]struct {
		missing int
		limit   intstr.IntOrString
		want    State
		message string
	}{
		"none":                {0, intstr.FromInt32(0), Passed, "1000 of 1000 sidecars are connected"},
		"one":                 {1, intstr.FromInt32(0), Waiting, "999 of 1000 sidecars are connected, not those of shop/web-0"},
		"one tolerated":       {1, intstr.FromInt32(1), Passed, "999 of 1000 sidecars are connected, not those of shop/web-0"},
		"a share":             {5, intstr.FromString("0%"), Waiting, "995 of 1000 sidecars are connected, not those of shop/web-0, shop/web-1, shop/web-2, shop/web-3, shop/web-4"},
		"a tolerated share":   {7, intstr.FromString("1%"), Passed, "993 of 1000 sidecars are connected, not those of shop/web-0, shop/web-1, shop/web-2, shop/web-3, shop/web-4 and 2 more pods"},
		"an unreadable limit": {1, intstr.FromString("few"), Waiting, "999 of 1000 sidecars are connected, not those of shop/web-0"},
	} {
		t.Run(name, func(t *testing.T) {
			v := proxiesConnected(Observation{Proxies: missing(c.missing)}, Bounds{MaxDisconnected: c.limit})
			if v.State != c.want || v.Message != c.message {
				t.Errorf("%v: %s; want %v: %s", v.State, v.Message, c.want, c.message)
			}
		})
	}
}
