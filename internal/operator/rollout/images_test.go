package rollout

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

var (
	digestA = "@sha256:" + strings.Repeat("a", 64)
	digestB = "@sha256:" + strings.Repeat("b", 64)
)

// TestFormsOfOneImage has the forms that admission policies make of an image, and others that they must not be confused with.
func TestFormsOfOneImage(t *testing.T) {
	for _, test := range []struct {
		text, declared string
		want           bool
	}{
		{"envoy", "envoy", true},
		{"envoy:latest", "envoy", true},
		{"library/envoy", "envoy", true},
		{"docker.io/envoy", "envoy", true},
		{"index.docker.io/library/envoy:latest", "envoy", true},
		{"docker.io/openservicemesh/envoy:v1", "openservicemesh/envoy:v1", true},
		{"openservicemesh/envoy:v1", "docker.io/openservicemesh/envoy:v1", true},
		{"docker.io/openservicemesh/envoy:v2", "openservicemesh/envoy:v1", false},
		{"openservicemesh/envoy", "openservicemesh/envoy:v1", false},
		{"library/openservicemesh/envoy:v1", "openservicemesh/envoy:v1", false},
		{"localhost/envoy:v1", "envoy:v1", false},
		{"localhost:5000/envoy:v1", "localhost/envoy:v1", false},
		{"registry.example.com/openservicemesh/envoy:v1", "openservicemesh/envoy:v1", false},
		{"envoy:v1" + digestA, "envoy:v1", true},
		{"envoy:v1" + digestA, "docker.io/library/envoy" + digestA, true},
		{"envoy:v1" + digestA, "envoy:v2" + digestA, true},
		{"envoy:v1" + digestA, "envoy:v1" + digestB, false},
		{"envoy:v1" + digestA, "envoy:v2", false},
		{"envoy" + digestA, "envoy:v1", false},
		{"envoy:v1", "envoy:v1" + digestA, false},
		{"Not An Image", "Not An Image", true},
		{"Not An Image", "envoy", false},
		{"", "envoy", false},
	} {
		if got := IsImage(test.text, test.declared); got != test.want {
			t.Errorf("%q is %q: %t", test.text, test.declared, got)
		}
	}
}

// TestReplacedImages has what admission steps make of the image of a version, and what the slots then have to get for the next one.
func TestReplacedImages(t *testing.T) {
	const v1, v2, custom = "openservicemesh/envoy:v1", "openservicemesh/envoy:v2", "registry.example.com/team/envoy:v9"
	init := Injected{Sidecar: v1, Init: "openservicemesh/init:v1", InitText: "openservicemesh/init:v1"}
	withInit := func(text string) Injected { i := init; i.InitText = text; return i }
	for name, test := range map[string]struct {
		injected Injected
		text     string
		// patched has the first slot changed already.
		patched string
		target  string
		// want is what a slot gets, isCurrent that the pod needs nothing, and isUnknown that nobody knows what it has to get.
		want                 string
		isCurrent, isUnknown bool
	}{
		"as injected":                         {init, v1, "", v2, v2, false, false},
		"as injected, by an earlier injector": {Injected{}, v1, "", v2, v2, false, false},
		"qualified":                           {init, "docker.io/" + v1, "", v2, v2, false, false},
		"qualified, current":                  {init, "docker.io/" + v1, "", v1, v1, true, false},
		"qualified, by an earlier injector":   {Injected{}, "docker.io/" + v1, "", v1, v1, true, false},
		"mirrored":                            {init, "registry.example.com/mirror/" + v1, "", v2, "registry.example.com/mirror/" + v2, false, false},
		"mirrored, current":                   {init, "registry.example.com/mirror/" + v1, "", v1, "registry.example.com/mirror/" + v1, true, false},
		"mirrored with its registry":          {init, "mirror.example/docker.io/" + v1, "", v2, "mirror.example/docker.io/" + v2, false, false},
		"mirrored without its folder":         {init, "mirror.example/envoy:v1", "", v2, "mirror.example/envoy:v2", false, false},
		"mirrored and pinned":                 {init, "mirror.example/" + v1 + digestA, "", v2, "mirror.example/" + v2, false, false},
		"mirrored and pinned, current":        {init, "mirror.example/" + v1 + digestA, "", v1, "mirror.example/" + v1, true, false},
		"pinned, current":                     {init, v1 + digestA, "", v1, v1, true, false},
		"a digest only, current":              {init, "mirror.example/openservicemesh/envoy" + digestA, "", v1, "mirror.example/" + v1, true, false},
		"a digest only, outdated":             {init, "mirror.example/openservicemesh/envoy" + digestA, "", v2, "mirror.example/" + v2, false, false},
		"begun": {
			withInit("mirror.example/openservicemesh/init:v1"), "mirror.example/" + v1, "mirror.example/" + v2, v2, "mirror.example/" + v2, false, false,
		},
		"back": {
			withInit("mirror.example/openservicemesh/init:v1"), "mirror.example/" + v2, "mirror.example/" + v2, v1, "mirror.example/" + v1, false, false,
		},
		"upgraded": {
			withInit("mirror.example/openservicemesh/init:v1"), "mirror.example/" + v2, "mirror.example/" + v2, v2, "mirror.example/" + v2, true, false,
		},
		"back from an image of another registry": {init, "ghcr.io/" + v2, "ghcr.io/" + v2, v1, v1, false, false},
		"back from an image of the user's":       {init, custom, custom, v1, v1, false, false},
		"mirrored, and declared so later":        {init, "mirror.example/" + v1, "", "mirror.example/" + v2, "mirror.example/" + v2, false, false},
		"mirrored, and another image declared":   {init, "mirror.example/" + v1, "", custom, custom, false, false},
		"the mirror is declared":                 {Injected{Sidecar: "mirror.example/" + v1}, "mirror.example/" + v1, "", v2, v2, false, false},
		"replaced by something else":             {init, "mirror.example/proxies/e-1", "", v2, v2, false, true},
		"replaced, and declared so later":        {init, "mirror.example/proxies:e-1", "", "mirror.example/proxies:e-2", "mirror.example/proxies:e-2", false, false},
		"replaced by a version of its own":       {init, "mirror.example/openservicemesh/envoy:v1-approved", "", v2, v2, false, true},
	} {
		pod := slottedPod(time.Time{}, Slot{Image: test.text, Role: report.Serving}, Slot{Image: test.text})
		pod.Injected = test.injected
		if test.patched != "" {
			pod.Patched, pod.Slots[1].Image = noon, test.patched
		}
		workloads := []Workload{{Slotted: []SlottedPod{pod}}}
		targets := UnifyImages(map[string]SlotTarget{"target": {Image: test.target}, "other": {Image: "openservicemesh/envoy:v3"}})
		for range 2 {
			workloads = DeclareImages(workloads, targets)
		}
		got := workloads[0].Slotted[0]
		if text := got.textOf(test.target); text != test.want {
			t.Errorf("%s: %s becomes %s, want %s", name, test.target, text, test.want)
		}
		if isCurrent := got.Slots[0].Image == test.target && got.Slots[1].Image == test.target; isCurrent != test.isCurrent {
			t.Errorf("%s: the slots have %+v", name, got.Slots)
		}
		if isUnknown := got.isReplaced(got.Slots[0], test.target); isUnknown != test.isUnknown {
			t.Errorf("%s: what the pod has to get is unknown: %t", name, isUnknown)
		}
		if pod.Slots[0].Text != "" {
			t.Errorf("%s: the given pods were changed", name)
		}
	}
}

// TestMirroredPodIsUpgraded steps a mirrored pod through an upgrade.
func TestMirroredPodIsUpgraded(t *testing.T) {
	const mirror = "mirror.example/"
	targets := map[string]SlotTarget{"old": {Image: oldEnvoy, Level: "1"}, "new": {Image: "docker.io/library/" + newEnvoy, Level: "1"}}
	pod := slottedPod(time.Time{}, Slot{Image: mirror + oldEnvoy, Started: noon.Add(-time.Hour), Role: report.Serving}, Slot{Image: mirror + oldEnvoy, Started: noon.Add(-time.Hour)})
	pod.Injected = Injected{Sidecar: oldEnvoy, Init: "init:1", InitText: mirror + "init:1"}
	declared := func() SlottedPod {
		return DeclareImages([]Workload{{Slotted: []SlottedPod{pod}}}, targets)[0].Slotted[0]
	}
	if step := declared().Next(oldEnvoy, noon); step.State != Current || step.Patch != nil {
		t.Errorf("before the upgrade: %+v", step)
	}
	patch := declared().Next(targets["new"].Image, noon).Patch
	if patch == nil || patch.Image != mirror+newEnvoy || patch.Declared != targets["new"].Image {
		t.Fatalf("the first patch is %+v", patch)
	}
	if d := (Wave{Patches: []PodPatch{{Declared: patch.Declared, Node: "a"}}}).Demand(targets["new"].Image); len(d.Now) != 1 {
		t.Error("no node pulls the image before")
	}
	pod.Patched, pod.Slots[1].Image, pod.Slots[1].Problem = noon, patch.Image, "ErrImagePull"
	if back := declared().takeBack(noon); back == nil || back.Image != mirror+oldEnvoy || back.TakesBack != targets["new"].Image {
		t.Errorf("a slot that does not start gets %+v", back)
	}
	pod.Slots[1] = Slot{Name: "envoy-standby", Image: patch.Image, Started: noon, Role: report.Serving}
	pod.Slots[0].Role = ""
	step := declared().Next(targets["new"].Image, noon)
	if step.State != Current || step.Patch == nil || step.Patch.Image != mirror+newEnvoy || step.Patch.Slot != "envoy" {
		t.Errorf("after the handover: %+v", step)
	}
}

// TestUnifiedImages has revisions that name the same image in different forms.
func TestUnifiedImages(t *testing.T) {
	got := UnifyImages(map[string]SlotTarget{"b": {Image: "docker.io/library/envoy:latest"}, "a": {Image: "envoy", Level: "1"}, "c": {Image: "envoy:2", Level: "2"}})
	if got["a"].Image != "envoy" || got["b"].Image != "envoy" || got["c"].Image != "envoy:2" || got["c"].Level != "2" {
		t.Errorf("the targets are %+v", got)
	}
}

// TestAnyMirrorIsLearnt draws images and mirrors. What is learnt from one image holds for another one of the registry.
func TestAnyMirrorIsLearnt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		segment, registry := rapid.StringMatching(`[a-z]{1,4}`), rapid.StringMatching(`[a-z]{1,4}\.example(:[1-9][0-9]{3})?`)
		path := func(label string) string {
			return strings.Join(rapid.SliceOfN(segment, 1, 3).Draw(t, label), "/")
		}
		host := rapid.OneOf(rapid.Just("docker.io"), registry).Draw(t, "registry")
		mirror := registry.Draw(t, "mirror") + "/" + path("folder")
		keepsHost := !strings.Contains(host, ":") && rapid.Bool().Draw(t, "keeps the registry")
		replace := func(image string) string {
			rest := strings.TrimPrefix(image, host)
			if keepsHost {
				return mirror + "/" + host + rest
			}
			return mirror + rest
		}
		first, second := host+"/f/"+path("first")+":v1", host+"/s/"+path("second")+":v2"
		r, ok := learnRewrite(first, replace(first))
		if !ok {
			t.Fatalf("nothing is learnt from %s to %s", first, replace(first))
		}
		if got, applied := r.apply(second); !applied || !IsImage(got, replace(second)) {
			t.Errorf("%s becomes %s, want %s", second, got, replace(second))
		}
		again, _ := r.apply(replace(second))
		if again != replace(second) {
			t.Errorf("%s is replaced again: %s", replace(second), again)
		}
		if _, ok := learnRewrite(first, first); ok {
			t.Errorf("something is learnt from %s itself", first)
		}
	})
}
