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
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// testRollbackAfterWave lets a faulty version pass to the first wave, with a gate threshold that is too high, and then
// lowers the threshold. The restarted workloads must be restarted once more, after the last injector of that version
// has stopped: pods it admits would get its sidecar again.
func testRollbackAfterWave(t *testing.T, s shop) {
	m := s.mesh
	sidecars, _, err := s.sidecars(t.Context())
	lab.Must(t, err)
	// Failures are not limited: a tenth of all requests fails while the threshold is too high.
	m.change(`{"version":"` + faulty(unavailable.fault) + `","upgrade":{"gates":{"maxErrorRateIncrease":"100%","soak":"5s"}}}`)
	s.awaitFirstRestart(t, m.revision(faulty(unavailable.fault)))
	running := s.startTraffic(unavailable.maxFailures)
	stopWatch := watchInjectors(t, m, faulty(unavailable.fault))
	m.change(`{"upgrade":{"gates":{"maxErrorRateIncrease":"1%"}}}`)
	s.awaitRollback(t, unavailable)
	running.stop("rollback after the first wave")
	last := stopWatch()
	t.Logf("the last injector of %s stopped at %s", faulty(unavailable.fault), last.Format(time.TimeOnly))
	s.checkRestartedOnce(t, m.revision(cluster.Version), last)
	after := s.startTraffic(0)
	time.Sleep(observationTime)
	after.stop("after the rollback from the first wave")
	if now, _, err := s.sidecars(t.Context()); err != nil || now[m.revision(faulty(unavailable.fault))] != 0 {
		t.Errorf("the sidecars by revision are %v (%v), want %v as before", now, err, sidecars)
	}
	m.change(`{"version":"` + cluster.Version + `"}`)
	lab.Must(t, cluster.MeshReady(t.Context(), m.name, time.Minute))
}

// awaitFirstRestart waits until a workload of the shop was restarted for a revision and has its sidecar.
func (s shop) awaitFirstRestart(t *testing.T, revision string) {
	t.Helper()
	lab.Eventually(t, upgradeLimit, "a sidecar of "+revision, func(ctx context.Context) (bool, string, error) {
		now, _, err := s.sidecars(ctx)
		if err != nil {
			return false, "", err
		}
		live, err := s.mesh.read(ctx)
		return now[revision] > 0, upgradeStatus(live), err
	})
}

// watchInjectors records when an injector of a version was last ready. The returned function stops that and returns the
// time.
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

// checkRestartedOnce requires that workloads were restarted for a revision after a moment, each at the first attempt.
func (s shop) checkRestartedOnce(t *testing.T, revision string, moment time.Time) {
	t.Helper()
	var all appsv1.DeploymentList
	restarted := 0
	for _, namespace := range s.namespaces() {
		lab.Must(t, cluster.Client.List(t.Context(), &all, client.InNamespace(namespace)))
		for _, d := range all.Items {
			words := strings.Fields(d.Spec.Template.Annotations[names.RestartAnnotation])
			if len(words) < 2 || words[0] != revision {
				continue
			}
			at, err := time.Parse(time.RFC3339, words[1])
			lab.Must(t, err)
			// Earlier restarts, for the upgrade to this version, are minutes older.
			if time.Since(at) > time.Since(moment)+time.Minute {
				continue
			}
			restarted++
			if at.Before(moment.Truncate(time.Second)) || len(words) > 2 {
				t.Errorf("%s was restarted as %q, but an injector of the other version was ready until %s", d.Name, words, moment.UTC().Format(time.RFC3339))
			}
		}
	}
	if restarted == 0 {
		t.Errorf("no Deployment was restarted for %s", revision)
	}
}
