package restart

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// slowPlane is a data plane behind an admission webhook that answers after a while.
type slowPlane struct {
	*fakePlane
	answers time.Duration

	mu      sync.Mutex
	running int
	most    int
	begun   []string
}

func (p *slowPlane) PatchSlot(ctx context.Context, patch rollout.PodPatch) error {
	if err := p.wait(ctx, patch.Pod); err != nil {
		return err
	}
	return p.fakePlane.PatchSlot(ctx, patch)
}

func (p *slowPlane) Restart(ctx context.Context, ref rollout.Ref, target string, at time.Time) error {
	if err := p.wait(ctx, ref.Name); err != nil {
		return err
	}
	return p.fakePlane.Restart(ctx, ref, target, at)
}

// wait waits for the answer about an object.
func (p *slowPlane) wait(ctx context.Context, name string) error {
	p.mu.Lock()
	p.begun = append(p.begun, name)
	p.running++
	p.most = max(p.most, p.running)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.running--
	}()
	select {
	case <-time.After(p.answers):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("patch: %w", ctx.Err())
	}
}

// newSlow is a fixture whose changes take a while.
func newSlow(answers time.Duration) (*fixture, *slowPlane) {
	f := newFixture()
	plane := &slowPlane{fakePlane: f.plane, answers: answers}
	f.dataPlane, f.recorder = plane, &eventList{}
	return f, plane
}

// manyPatches are those of 250 workloads with one pod each, and their names.
func manyPatches() (rollout.Wave, []string) {
	wave, names := rollout.Wave{Target: "v2"}, []string{}
	for i := range 250 {
		names = append(names, fmt.Sprintf("w%03d", i))
		wave.Patches = append(wave.Patches, slotPatch(names[i], false))
	}
	return wave, names
}

// without removes patches of pods from a wave, as the next observation does.
func without(wave rollout.Wave, pods []string) rollout.Wave {
	wave.Patches = slices.DeleteFunc(slices.Clone(wave.Patches), func(patch rollout.PodPatch) bool { return slices.Contains(pods, patch.Pod) })
	return wave
}

// TestASlowWebhookDoesNotHoldAPass has a webhook that answers shortly before the API server gives up. Each pass ends, so that gates are evaluated, and all
// pods are patched sooner or later, in order.
func TestASlowWebhookDoesNotHoldAPass(t *testing.T) {
	for _, answers := range []time.Duration{time.Millisecond, 900 * time.Millisecond, 10*time.Second - time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			f, plane := newSlow(answers)
			wave, names := manyPatches()
			for passes := 0; len(wave.Patches) > 0; passes++ {
				before, start := len(plane.begun), time.Now()
				again, err := f.PatchSlots(t.Context(), f.mesh, wave)
				if took := time.Since(start); took > passTimeout || err != nil || passes > 100 {
					t.Fatalf("answers after %s: pass %d takes %s, %v", answers, passes, took, err)
				}
				made := len(plane.begun) - before
				if got := slices.Sorted(slices.Values(plane.begun[before:])); !slices.Equal(got, names[before:before+made]) {
					t.Fatalf("answers after %s: a pass begins %v, want those of %v in their order", answers, got, names[before:])
				}
				wave = without(wave, plane.patched)
				if isComplete := len(wave.Patches) == 0; isComplete == (again > 0) {
					t.Fatalf("answers after %s: observed again after %s, and %d pods are left", answers, again, len(wave.Patches))
				}
				time.Sleep(again)
			}
			if len(plane.patched) != len(names) || plane.most > parallel {
				t.Errorf("answers after %s: patched %d pods of %d, %d at a time", answers, len(plane.patched), len(names), plane.most)
			}
		})
	}
}

// TestAWebhookThatNeverAnswers ends the pass, and is reported for the workloads that it concerns. It does not keep the others from their turn.
func TestAWebhookThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, plane := newSlow(time.Hour)
		wave := rollout.Wave{Target: "v2"}
		for i := range 20 {
			wave.Restart = append(wave.Restart, ref(fmt.Sprintf("w%03d", i)))
		}
		start := time.Now()
		again, err := f.Run(t.Context(), f.mesh, wave, "Restart", rollout.Ref.String)
		if took := time.Since(start); took != passTimeout || err != nil || again != retryUnreached {
			t.Errorf("the pass takes %s, %v, and the next one follows after %s", took, err, again)
		}
		message, due := f.Denied(t.Context(), f.mesh)(ref("w000"), "v2")
		if due || !strings.Contains(message, "an admission webhook is slow") || strings.Contains(message, "denied") {
			t.Errorf("the first workload is denied with %q, due %t", message, due)
		}
		if message, _ := f.Denied(t.Context(), f.mesh)(ref("w008"), "v2"); message != "" || len(plane.begun) != parallel {
			t.Errorf("%d restarts began, and the ninth workload is denied with %q", len(plane.begun), message)
		}
	})
}

// TestOneDenialOfManyPods is that of their workload: its other pods are not tried in the pass, and the backoff doubles once.
func TestOneDenialOfManyPods(t *testing.T) {
	f := newFixture()
	wave := rollout.Wave{Target: "v2"}
	for i := range 40 {
		patch := slotPatch(fmt.Sprintf("web-%02d", i), false)
		patch.Workload.Name = "web"
		wave.Patches = append(wave.Patches, patch)
		f.plane.answers[patch.Pod] = apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, patch.Pod, errors.New("no"))
	}
	for _, want := range []time.Duration{firstBackoff, 2 * firstBackoff} {
		if _, err := f.PatchSlots(t.Context(), f.mesh, wave); err != nil {
			t.Fatal(err)
		}
		if got := f.denied[f.mesh.UID][wave.Patches[0].Workload].backoff; got != want {
			t.Errorf("the backoff is %s, want %s", got, want)
		}
		f.now = f.now.Add(want)
	}
	if n := len(f.events.Events); n != 2 {
		t.Errorf("two passes have %d Events", n)
	}
}

// TestCanceledPass returns an error, and records what was done before.
func TestCanceledPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, plane := newSlow(900 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wave, _ := manyPatches()
		if _, err := f.PatchSlots(ctx, f.mesh, wave); err == nil {
			t.Error("a canceled pass has no error")
		}
		if n := len(f.recorder.(*eventList).all); n != parallel || len(plane.patched) != parallel || len(f.denied[f.mesh.UID]) > 0 {
			t.Errorf("%d changes, %d Events, denied: %v", len(plane.patched), n, f.denied)
		}
	})
}
