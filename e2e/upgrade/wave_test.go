package upgrade

import (
	"context"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// returnsAfterWave lets a version that fails requests come through to the first wave, by a gate that is open too wide, and then closes
// the gate. The workloads that have moved return once, when no injector of that version answers any more: what it admitted would
// keep its sidecars.
func returnsAfterWave(t *testing.T, s shop) {
	m := s.mesh
	sidecars, _, err := s.sidecars(t.Context())
	must(t, err)
	// Nothing is counted: a tenth of all requests fails for as long as the gate is open.
	m.change(`{"version":"` + faulty(unavailable.fault) + `","upgrade":{"gates":{"maxErrorRateIncrease":"100%","soak":"5s"}}}`)
	s.hasMoved(t, m.revision(faulty(unavailable.fault)))
	running := s.start(unavailable.mayFail)
	watching := watchInjectors(t, m, faulty(unavailable.fault))
	m.change(`{"upgrade":{"gates":{"maxErrorRateIncrease":"1%"}}}`)
	s.hasReturned(t, unavailable)
	running.stop("return after the first wave")
	last := watching()
	t.Logf("the last injector of %s ended at %s", faulty(unavailable.fault), last.Format(time.TimeOnly))
	s.restartedOnceAfter(t, m.revision(cluster.Version), last)
	after := s.start(0)
	time.Sleep(calm)
	after.stop("after the return from the first wave")
	if now, _, err := s.sidecars(t.Context()); err != nil || now[m.revision(faulty(unavailable.fault))] != 0 {
		t.Errorf("the sidecars are %v (%v), and were %v", now, err, sidecars)
	}
	m.change(`{"version":"` + cluster.Version + `"}`)
	must(t, cluster.MeshReady(t.Context(), m.name, time.Minute))
}

// hasMoved waits until a workload of the shop is restarted for a revision and has its sidecar.
func (s shop) hasMoved(t *testing.T, revision string) {
	t.Helper()
	must(t, lab.Until(t.Context(), upgradeLimit, "a sidecar of "+revision, func(ctx context.Context) (bool, string, error) {
		now, _, err := s.sidecars(ctx)
		if err != nil {
			return false, "", err
		}
		live, err := s.mesh.read(ctx)
		return now[revision] > 0, told(live), err
	}))
}

// watchInjectors notes when the last injector of a version answered; the function that it returns ends that, and tells.
func watchInjectors(t *testing.T, m mesh, version string) func() time.Time {
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan time.Time, 1)
	go func() {
		var last time.Time
		for ctx.Err() == nil {
			var pods corev1.PodList
			selector := client.MatchingLabels{names.AppLabel: names.Injector, names.VersionLabel: version}
			if cluster.Client.List(ctx, &pods, client.InNamespace(m.namespace()), selector) == nil && len(pods.Items) > 0 {
				last = time.Now()
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
		seen <- last
	}()
	return func() time.Time { cancel(); return <-seen }
}

// restartedOnceAfter wants workloads to be restarted for a revision after a moment, each at the first attempt.
func (s shop) restartedOnceAfter(t *testing.T, revision string, moment time.Time) {
	t.Helper()
	var all appsv1.DeploymentList
	restarted := 0
	for _, namespace := range s.namespaces() {
		must(t, cluster.Client.List(t.Context(), &all, client.InNamespace(namespace)))
		for _, d := range all.Items {
			words := strings.Fields(d.Spec.Template.Annotations[names.RestartAnnotation])
			if len(words) < 2 || words[0] != revision {
				continue
			}
			at, err := time.Parse(time.RFC3339, words[1])
			must(t, err)
			// Restarts for the upgrade to this version lie minutes back.
			if time.Since(at) > time.Since(moment)+time.Minute {
				continue
			}
			restarted++
			if at.Before(moment.Truncate(time.Second)) || len(words) > 2 {
				t.Errorf("%s was restarted as %q, while an injector of the other version answered until %s", d.Name, words, moment.UTC().Format(time.RFC3339))
			}
		}
	}
	if restarted == 0 {
		t.Errorf("no Deployment was restarted for %s", revision)
	}
}
