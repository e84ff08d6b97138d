package restart

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// fakePlane answers restarts of workloads by their name.
type fakePlane struct {
	mu        sync.Mutex
	answers   map[string]error
	restarted []string
	patched   []string
	versions  map[string]string
}

func (p *fakePlane) VersionOf(_ context.Context, ref rollout.Ref) string { return p.versions[ref.Name] }

func (p *fakePlane) PatchSlot(_ context.Context, patch rollout.PodPatch) error {
	if err := p.answers[patch.Pod]; err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.patched = append(p.patched, patch.Pod)
	return nil
}

// Reference has the name of a workload in its UID.
func (p *fakePlane) Reference(_ context.Context, ref rollout.Ref, _ string) *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: "apps/v1", Kind: ref.Kind, Namespace: ref.Namespace, Name: ref.Name, UID: types.UID("uid of " + ref.Name)}
}

func (p *fakePlane) Restart(_ context.Context, ref rollout.Ref, _ string, _ time.Time) error {
	if err := p.answers[ref.Name]; err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.restarted = append(p.restarted, ref.Name)
	return nil
}

// fixture is a Restarter with a clock that tests set.
type fixture struct {
	*Restarter
	plane  *fakePlane
	events *events.FakeRecorder
	mesh   *v1alpha1.Mesh
	now    time.Time
}

func newFixture() *fixture {
	f := &fixture{
		plane: &fakePlane{answers: map[string]error{}, versions: map[string]string{}}, events: events.NewFakeRecorder(100), mesh: &v1alpha1.Mesh{},
		now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC),
	}
	f.mesh.Name, f.mesh.UID = "osm", "1"
	f.Restarter = New(f.plane, f.events, nil, func() time.Time { return f.now })
	return f
}

// run runs a wave that restarts some workloads.
func (f *fixture) run(t *testing.T, target string, workloads ...string) time.Duration {
	t.Helper()
	wave := rollout.Wave{Target: target}
	for _, name := range workloads {
		wave.Restart = append(wave.Restart, ref(name))
	}
	again, err := f.Run(t.Context(), f.mesh, wave, "Restart", func(ref rollout.Ref) string { return "restarted " + ref.String() })
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func ref(name string) rollout.Ref {
	return rollout.Ref{Kind: "Deployment", Namespace: "shop", Name: name}
}

func TestRun_DenialDoesNotStopTheWave(t *testing.T) {
	f := newFixture()
	f.plane.answers["cart"] = errors.New("frozen")
	if again := f.run(t, "v2", "cart", "desk"); again != firstBackoff {
		t.Errorf("observed again after %s, want %s", again, firstBackoff)
	}
	if !slices.Equal(f.plane.restarted, []string{"desk"}) {
		t.Errorf("restarted %v, want desk", f.plane.restarted)
	}
	<-f.events.Events // that desk was restarted
	if event := <-f.events.Events; !strings.Contains(event, "RestartDenied") || !strings.Contains(event, "frozen") {
		t.Errorf("the Event is %q", event)
	}
	if message, due := f.Denied(t.Context(), f.mesh)(ref("cart"), "v2"); due || !strings.Contains(message, "frozen") {
		t.Errorf("cart is denied with %q, due %v", message, due)
	}
	for _, other := range []struct {
		name, target string
	}{{"desk", "v2"}, {"cart", "v1"}} {
		if message, _ := f.Denied(t.Context(), f.mesh)(ref(other.name), other.target); message != "" {
			t.Errorf("%+v is denied: %s", other, message)
		}
	}
}

func TestRun_BackoffDoublesUntilTheMaximum(t *testing.T) {
	f := newFixture()
	f.plane.answers["cart"] = errors.New("frozen")
	var waits []time.Duration
	for range 8 {
		waits = append(waits, f.run(t, "v2", "cart"))
		f.now = f.now.Add(waits[len(waits)-1])
		if _, due := f.Denied(t.Context(), f.mesh)(ref("cart"), "v2"); !due {
			t.Fatalf("cart is not due after %s", waits)
		}
	}
	want := []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute, time.Minute, time.Minute, time.Minute}
	if !slices.Equal(waits, want) {
		t.Errorf("waits are %s, want %s", waits, want)
	}
	if wait := f.run(t, "v3", "cart"); wait != firstBackoff {
		t.Errorf("another target begins with %s, want %s", wait, firstBackoff)
	}
}

// A user who has corrected a policy does not wait: any change of the Mesh, the workload or its namespace ends the wait.
func TestDenied_IsDueAfterAChange(t *testing.T) {
	for name, change := range map[string]func(*fixture){
		"spec of the Mesh":         func(f *fixture) { f.mesh.Generation++ },
		"annotations of the Mesh":  func(f *fixture) { f.mesh.Annotations = map[string]string{"example.com/retry": "now"} },
		"labels of the Mesh":       func(f *fixture) { f.mesh.Labels = map[string]string{"team": "shop"} },
		"workload or namespace":    func(f *fixture) { f.plane.versions["cart"] = "2" },
		"workload that is deleted": func(f *fixture) { delete(f.plane.versions, "cart") },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			f.plane.answers["cart"], f.plane.versions["cart"], f.plane.versions["desk"] = errors.New("frozen"), "1", "1"
			f.run(t, "v2", "cart")
			f.mesh.ResourceVersion, f.mesh.Status.Version, f.plane.versions["desk"] = "2", "v2", "2"
			if _, due := f.Denied(t.Context(), f.mesh)(ref("cart"), "v2"); due {
				t.Fatal("a change of the status, or of another workload, ends the wait")
			}
			change(f)
			if message, due := f.Denied(t.Context(), f.mesh)(ref("cart"), "v2"); !due || message == "" {
				t.Errorf("cart is denied with %q, due %v, want due", message, due)
			}
			f.now = f.now.Add(time.Second)
			if again := f.run(t, "v2", "cart"); again != firstBackoff {
				t.Errorf("the next wait is %s, want %s", again, firstBackoff)
			}
			if _, due := f.Denied(t.Context(), f.mesh)(ref("cart"), "v2"); due {
				t.Error("one change ends two waits")
			}
		})
	}
}

// An API server that does not answer has not denied anything.
func TestRun_UnavailableServerIsNoDenial(t *testing.T) {
	resource := schema.GroupResource{Group: "apps", Resource: "deployments"}
	for name, failure := range map[string]error{
		"429":                apierrors.NewTooManyRequests("later", 1),
		"503":                apierrors.NewServiceUnavailable("starting"),
		"504":                apierrors.NewTimeoutError("slow", 1),
		"500 of the server":  apierrors.NewServerTimeout(resource, "patch", 1),
		"500 of etcd":        apierrors.NewInternalError(errors.New("etcdserver: no leader")),
		"502 of a proxy":     apierrors.NewGenericServerResponse(502, "patch", resource, "cart", "", 0, true),
		"connection refused": &url.Error{Op: "Patch", URL: "https://api", Err: syscall.ECONNREFUSED},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			f.plane.answers["cart"] = failure
			for range 5 {
				if again := f.run(t, "v2", "cart", "desk"); again != firstBackoff {
					t.Errorf("observed again after %s, want %s", again, firstBackoff)
				}
				f.now = f.now.Add(firstBackoff)
			}
			if len(f.plane.restarted) != 5 {
				t.Errorf("restarted %v, want desk each time", f.plane.restarted)
			}
			message, due := f.Denied(t.Context(), f.mesh)(ref("cart"), "v2")
			if !due || strings.Contains(message, "denied") || !strings.Contains(message, failure.Error()) {
				t.Errorf("the message is %q, due %v", message, due)
			}
			<-f.events.Events // that desk was restarted
			if event := <-f.events.Events; !strings.Contains(event, "RestartFailed") {
				t.Errorf("the Event is %q", event)
			}
		})
	}
	webhook := apierrors.NewInternalError(errors.New("failed calling webhook \"policy.example.com\": connection refused"))
	f := newFixture()
	f.plane.answers["cart"] = webhook
	f.run(t, "v2", "cart")
	if message, _ := f.Denied(t.Context(), f.mesh)(ref("cart"), "v2"); !strings.Contains(message, "denied") {
		t.Errorf("a webhook that does not answer denies; the message is %q", message)
	}
}

func TestRun_SuccessfulRetryEndsTheDenial(t *testing.T) {
	f := newFixture()
	f.plane.answers["cart"] = errors.New("frozen")
	f.run(t, "v2", "cart")
	delete(f.plane.answers, "cart")
	if _, err := f.Run(t.Context(), f.mesh, rollout.Wave{Target: "v2", Retry: []rollout.Ref{ref("cart")}}, "Restart", rollout.Ref.String); err != nil {
		t.Fatal(err)
	}
	if message, _ := f.Denied(t.Context(), f.mesh)(ref("cart"), "v2"); message != "" || !slices.Equal(f.plane.restarted, []string{"cart"}) {
		t.Errorf("cart is denied with %q after restarts of %v", message, f.plane.restarted)
	}
}

func TestRun_ConflictIsNoDenial(t *testing.T) {
	f := newFixture()
	resource := schema.GroupResource{Group: "apps", Resource: "deployments"}
	f.plane.answers["cart"] = apierrors.NewConflict(resource, "cart", errors.New("changed"))
	f.plane.answers["desk"] = apierrors.NewNotFound(resource, "desk")
	if again := f.run(t, "v2", "cart", "desk"); again != retryChanged {
		t.Errorf("observed again after %s, want %s", again, retryChanged)
	}
	if message, _ := f.Denied(t.Context(), f.mesh)(ref("cart"), "v2"); message != "" {
		t.Errorf("cart is denied: %s", message)
	}
}

func TestRun_EndsWithItsContext(t *testing.T) {
	f := newFixture()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.plane.answers["cart"] = context.Canceled
	if _, err := f.Run(ctx, f.mesh, rollout.Wave{Target: "v2", Restart: []rollout.Ref{ref("cart")}}, "Restart", rollout.Ref.String); err == nil {
		t.Error("a canceled reconciliation returned no error")
	}
	if message, _ := f.Denied(t.Context(), f.mesh)(ref("cart"), "v2"); message != "" {
		t.Errorf("a canceled restart counts as denied: %s", message)
	}
}

func TestRetryAfter_IsThatOfTheNextDueWorkload(t *testing.T) {
	f := newFixture()
	f.plane.answers["cart"], f.plane.answers["desk"] = errors.New("frozen"), errors.New("frozen")
	f.run(t, "v2", "cart")
	f.now = f.now.Add(4 * time.Second)
	f.run(t, "v2", "desk")
	wave := rollout.Wave{Target: "v2", Blocked: []rollout.Note{{Ref: ref("cart")}, {Ref: ref("desk")}, {Ref: ref("mail")}}}
	if got := f.RetryAfter(f.mesh, wave); got != 6*time.Second {
		t.Errorf("retry after %s, want 6s", got)
	}
	f.now = f.now.Add(time.Hour)
	if got := f.RetryAfter(f.mesh, wave); got != firstBackoff {
		t.Errorf("workloads that are due are observed after %s, want %s", got, firstBackoff)
	}
	f.Forget(f.mesh.UID)
	if got := f.RetryAfter(f.mesh, wave); got != 0 {
		t.Errorf("a forgotten mesh has a retry after %s", got)
	}
}

func TestSoonest_IgnoresZero(t *testing.T) {
	for _, c := range []struct{ a, b, want time.Duration }{{0, 0, 0}, {0, 2, 2}, {2, 0, 2}, {2, 1, 1}, {1, 2, 1}} {
		if got := soonest(c.a, c.b); got != c.want {
			t.Errorf("soonest(%d, %d) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	var many []rollout.Ref
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		many = append(many, ref(name))
	}
	for want, wave := range map[string]rollout.Wave{
		"": {Unordered: "not known"},
		"restarting: Deployment shop/cart; cannot be upgraded now: Deployment shop/desk (frozen)": {
			InProgress: []rollout.Ref{ref("cart")}, Blocked: []rollout.Note{{Ref: ref("desk"), Reason: "frozen"}},
		},
		"waiting: Deployment shop/cart (room); skipped: Deployment shop/desk (opted out)": {
			Waiting: []rollout.Note{{Ref: ref("cart"), Reason: "room"}}, Manual: []rollout.Note{{Ref: ref("desk"), Reason: "opted out"}},
		},
		"waiting: Deployment shop/cart (room); not known":                                                                       {Waiting: []rollout.Note{{Ref: ref("cart"), Reason: "room"}}, Unordered: "not known"},
		"restarting: Deployment shop/a, Deployment shop/b, Deployment shop/c, Deployment shop/d, Deployment shop/e, and 2 more": {Restart: many},
	} {
		if got := Describe(wave); got != want {
			t.Errorf("Describe = %q, want %q", got, want)
		}
	}
}
