package takeover

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestSetBridge checks that the condition is there only while the bridge is declared, and that its time remains.
func TestSetBridge(t *testing.T) {
	now := time.Date(2026, 11, 27, 6, 0, 0, 0, time.UTC)
	bridge := &v1alpha1.BridgeStatus{OpenedTime: metav1.NewTime(now), ClosesTime: metav1.NewTime(now.Add(time.Hour))}
	declared, withdrawn := &v1alpha1.Mesh{}, &v1alpha1.Mesh{}
	declared.Spec.Adoption = &v1alpha1.AdoptionSpec{Bridge: &v1alpha1.BridgeSpec{}}
	withdrawn.Spec.Adoption = &v1alpha1.AdoptionSpec{}
	for name, c := range map[string]struct {
		mesh     *v1alpha1.Mesh
		bridge   *v1alpha1.BridgeStatus
		now      time.Time
		want     time.Duration
		declared bool
	}{
		"open":                {declared, bridge, now, time.Hour, true},
		"closed":              {declared, bridge, now.Add(2 * time.Hour), 0, true},
		"not read":            {declared, nil, now, 0, false},
		"withdrawn":           {withdrawn, bridge, now, 0, false},
		"not even a takeover": {&v1alpha1.Mesh{}, bridge, now, 0, false},
	} {
		updated := &v1alpha1.MeshStatus{}
		got := SetBridge(c.mesh, c.bridge, updated, c.now, nil)
		hasCondition := meta.FindStatusCondition(updated.Conditions, v1alpha1.ConditionServingOSMSidecars) != nil
		if got != c.want || hasCondition != c.declared || updated.Bridge != c.bridge {
			t.Errorf("%s: open for %s, the condition is there: %t, and the time is %v", name, got, hasCondition, updated.Bridge)
		}
	}
}

// TestLimit checks when restarts for an upgrade are manual, and that only others need an order.
func TestLimit(t *testing.T) {
	forward := adopting(v1alpha1.AdoptionRestarting, v1alpha1.AdoptionRestarting)
	for name, c := range map[string]struct {
		mesh                       *v1alpha1.Mesh
		isManual, wantManual, read bool
	}{
		"no takeover":       {adopting("", ""), false, false, true},
		"going forward":     {forward, false, false, true},
		"manual":            {forward, true, true, false},
		"holding":           {adopting(v1alpha1.AdoptionInjecting, v1alpha1.AdoptionInjecting), false, true, false},
		"going back":        {adopting(v1alpha1.AdoptionPrepared, v1alpha1.AdoptionPrepared), false, true, false},
		"not yet in effect": {adopting(v1alpha1.AdoptionRestarting, v1alpha1.AdoptionInjecting), false, true, false},
	} {
		calls := &fixedCalls{}
		config := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-mesh", Name: names.MeshConfig}}
		limits := rollout.Limits{Manual: c.isManual}
		if err := (Ordering{Reader: apiServer(t, nil, config), Calls: calls}).Limit(t.Context(), c.mesh, "osm-mesh", loads(""), &limits); err != nil {
			t.Fatal(err)
		}
		if limits.Manual != c.wantManual || (calls.read > 0) != c.read || (limits.Order != nil) != c.read {
			t.Errorf("%s: manual %t, the calls were read %d times, and the order is %v", name, limits.Manual, calls.read, limits.Order)
		}
	}
}

// TestGoBack checks that only a Mesh that goes back restarts workloads for it, whatever an upgrade would.
func TestGoBack(t *testing.T) {
	now := time.Now()
	back, forward := adopting(v1alpha1.AdoptionPrepared, v1alpha1.AdoptionPrepared), adopting(v1alpha1.AdoptionRestarting, v1alpha1.AdoptionRestarting)
	both := append(loads("osm-v0-1-0")[:1], loads("")[1])
	situation := func() *rollout.Situation {
		return &rollout.Situation{Workloads: both, Limits: rollout.Limits{Manual: true, MaxUnavailable: intstr.FromInt32(2)}}
	}
	var plan rollout.Plan
	GoBack(forward, situation(), &plan, now)
	if len(plan.Wave.Restart) > 0 || Target(forward) != "" {
		t.Errorf("going forward restarts %v", plan.Wave.Restart)
	}
	GoBack(back, situation(), &plan, now)
	if got := plan.Wave.Restart; len(got) != 1 || got[0].Name != "web" || plan.Wave.Target != BackTarget || Target(back) != BackTarget {
		t.Errorf("going back restarts %v for %s", got, plan.Wave.Target)
	}
	named := map[string]int{BackTarget: 2, "": 1, "v1": 3}
	UnnameSidecars(named)
	if len(named) != 2 || named[""] != 3 || named["v1"] != 3 {
		t.Errorf("the numbers are %v", named)
	}
	for mesh, want := range map[*v1alpha1.Mesh]string{back: v1alpha1.ConditionAdopting, {}: "until their workloads are restarted"} {
		if got := DescribeSidecars(mesh, 7); !strings.Contains(got, "7") || !strings.Contains(got, want) {
			t.Errorf("sidecars are described as %s", got)
		}
	}
}

// TestReturns checks what the workloads of a removed mesh wait for before they go back.
func TestReturns(t *testing.T) {
	running := controllerIn("osm-system", "osm", nil)
	prepared, unknown := adopting(v1alpha1.AdoptionPrepared, v1alpha1.AdoptionPrepared), adopting(v1alpha1.AdoptionPrepared, "")
	unknown.Status.Adoption = nil
	redirected := prepared.DeepCopy()
	redirected.Status.Adoption.Service = string(v1alpha1.AdoptionServiceRedirect)
	restarting := adopting(v1alpha1.AdoptionPrepared, v1alpha1.AdoptionRestarting)
	explained := restarting.DeepCopy()
	explained.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionAdopting, Message: "the injector is away"}}
	for name, c := range map[string]struct {
		mesh    *v1alpha1.Mesh
		running []client.Object
		returns bool
		waiting string
	}{
		"no takeover":        {&v1alpha1.Mesh{}, []client.Object{running}, false, ""},
		"nothing runs":       {prepared, nil, false, ""},
		"prepared":           {prepared, []client.Object{running}, true, ""},
		"not even prepared":  {unknown, []client.Object{running}, true, ""},
		"its Service is led": {redirected, []client.Object{running}, true, "going back to the Open Service Mesh in namespace osm-system"},
		"restarting":         {restarting, []client.Object{running}, true, "in namespace osm-system"},
		"with a reason":      {explained, []client.Object{running}, true, "osm-system: the injector is away"},
	} {
		returns, waiting, err := Returns(t.Context(), apiServer(t, nil, c.running...), c.mesh)
		if err != nil || returns != c.returns || (waiting == "") != (c.waiting == "") || !strings.HasSuffix(waiting, c.waiting) {
			t.Errorf("%s: %t, %q (%v)", name, returns, waiting, err)
		}
	}
}

// TestFollowsAuthority checks that a Mesh has its own authority once the takeover is complete.
func TestFollowsAuthority(t *testing.T) {
	if !FollowsAuthority(adopting(v1alpha1.AdoptionComplete, v1alpha1.AdoptionRestarting)) || FollowsAuthority(adopting(v1alpha1.AdoptionComplete, v1alpha1.AdoptionComplete)) {
		t.Error("the authority is not that of the Open Service Mesh until the takeover is complete")
	}
}

// TestRemovedMeshTakesNothing checks that a Mesh which is being removed neither injects nor goes forward, whatever it declares.
func TestRemovedMeshTakesNothing(t *testing.T) {
	mesh := adopting(v1alpha1.AdoptionRestarting, v1alpha1.AdoptionRestarting)
	mesh.DeletionTimestamp = &metav1.Time{}
	if MayRegister(mesh) || Of(mesh).goesForward() {
		t.Error("a removed Mesh goes on")
	}
}

// TestReadRunning reads an Open Service Mesh of which only the injector and osm-bootstrap have Deployments.
func TestReadRunning(t *testing.T) {
	deployment := func(name string, available int32) *appsv1.Deployment {
		return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: name}, Status: appsv1.DeploymentStatus{AvailableReplicas: available}}
	}
	for available, want := range map[int32]Running{
		0: {Namespace: "osm-system", Exists: true}, 1: {Namespace: "osm-system", Exists: true, Injects: true},
	} {
		c := apiServer(t, nil, deployment(names.Injector, available), deployment(bootstrap, 1))
		if got, err := ReadRunning(t.Context(), c, "osm-system"); got != want || err != nil {
			t.Errorf("%+v (%v), want %+v", got, err, want)
		}
	}
}

func TestFlagsOf(t *testing.T) {
	args := []string{"trust-domain=wrong", "--quiet", "--verbosity", "info", "--osm-version=v1", "text", "--last"}
	got := flagsOf(corev1.Container{Args: args})
	if len(got) != 4 || got["quiet"] != "" || got["verbosity"] != "info" || got["osm-version"] != "v1" || got["trust-domain"] != "" {
		t.Errorf("the flags are %v", got)
	}
	only := osm()[0]
	only.Spec.Template.Spec.Containers = []corev1.Container{{Name: "other", Args: []string{"--mesh-name", "shop"}}}
	if got := runningOf("osm-system", []appsv1.Deployment{only}); got.Mesh != "shop" {
		t.Errorf("with one container the mesh is %s", got.Mesh)
	}
}

// TestDamagedRecords checks that a record that cannot be read, or has no webhooks, is neither replaced nor restored.
func TestDamagedRecords(t *testing.T) {
	for _, name := range []string{ownName, addOn} {
		for _, text := range []string{"{", `{"webhooks":1}`, `{"webhooks":[{}],"labels":1}`, `{"webhooks":[{}],"annotations":1}`, `{"webhooks":[{}],"ownerReferences":1}`, "{}"} {
			damaged := configuration(name, "osm-system", osmLabels())
			damaged.SetAnnotations(map[string]string{ReplacedAnnotation: text})
			live := []*unstructured.Unstructured{damaged}
			if steps, err := transfer(true).Steps(live); text != "{}" && err == nil {
				t.Errorf("%s with %s: forward %+v", name, text, steps)
			}
			if steps, err := transfer(false).Steps(live); err != nil || len(steps) != 1 || steps[0].Action != Lost {
				t.Errorf("%s with %s: back %+v (%v)", name, text, steps, err)
			}
		}
	}
}

// TestTransferRestoresOwners checks that a restored configuration has the owners and annotations that it had, and none of the mesh.
func TestTransferRestoresOwners(t *testing.T) {
	for _, owners := range [][]metav1.OwnerReference{nil, {{APIVersion: "v1", Kind: "ConfigMap", Name: "osm", UID: "1"}}} {
		before := configuration(ownName, "osm-system", osmLabels())
		before.SetAnnotations(map[string]string{"team": "a"})
		before.SetOwnerReferences(owners)
		c := cluster{ownName: before.DeepCopy()}
		c.complete(t, true)
		c[ownName].SetOwnerReferences([]metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Mesh", Name: "osm", UID: "2", Controller: ptr.To(true)}})
		c.complete(t, false)
		if got := c[ownName]; len(got.GetOwnerReferences()) != len(owners) || got.GetAnnotations()["team"] != "a" || len(got.GetAnnotations()) != 1 {
			t.Errorf("the restored configuration is %v", got.Object)
		}
	}
}

// TestTransferOfWrittenBackWebhooks checks what becomes of the own configuration when OSM's webhooks are in it again, and the record is gone.
func TestTransferOfWrittenBackWebhooks(t *testing.T) {
	live := configuration(ownName, "osm-system", ownLabels())
	live.SetAnnotations(map[string]string{"team": "a"})
	if transfer(true).IsRegistered([]*unstructured.Unstructured{live}) {
		t.Error("webhooks of OSM count as those of the mesh")
	}
	registered := configuration(ownName, "osm-mesh", ownLabels())
	if other := configuration(addOn, "osm-mesh", ownLabels()); !transfer(true).IsRegistered([]*unstructured.Unstructured{other, registered}) || transfer(true).IsRegistered([]*unstructured.Unstructured{other}) {
		t.Error("not only the own configuration is registered")
	}
	steps, err := transfer(false).Steps([]*unstructured.Unstructured{live})
	if err != nil || len(steps) != 1 || steps[0].Action != Change || steps[0].After.GetLabels()[names.MeshLabel] != "" || steps[0].After.GetAnnotations()["team"] != "a" {
		t.Errorf("the steps are %+v (%v)", steps, err)
	}
	if got := Forgotten(configurationWith(ReplacedAnnotation)); len(got.GetAnnotations()) != 1 {
		t.Errorf("without the record the annotations are %v", got.GetAnnotations())
	}
}

func configurationWith(annotation string) *unstructured.Unstructured {
	object := configuration(addOn, "osm-system", osmLabels())
	object.SetAnnotations(map[string]string{annotation: "{}", "team": "a"})
	return object
}

// TestTransferWithoutOwn checks that nothing changes before the configuration of the mesh can be rendered.
func TestTransferWithoutOwn(t *testing.T) {
	h := transfer(true)
	h.Own = nil
	steps, err := h.Steps([]*unstructured.Unstructured{configuration(addOn, "osm-system", osmLabels())})
	if err != nil || len(steps) != 1 || steps[0].Action != Keep {
		t.Errorf("the steps are %+v (%v)", steps, err)
	}
}
