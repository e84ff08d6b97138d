package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// constantReport is the report of one replica.
type constantReport report.Object

func (r constantReport) Object(context.Context, string, string, string) ([]reportclient.Answer[report.Object], error) {
	return []reportclient.Answer[report.Object]{{Replica: "a", Value: report.Object(r)}}, nil
}

func acknowledgedBy(sidecars int) constantReport {
	responded := time.Unix(1, 0)
	return constantReport{Generation: 2, Sidecars: sidecars, Acknowledged: sidecars, RespondedAt: &responded}
}

// conditioned returns a Retry of generation 2 with conditions of a generation, each as "TYPE STATUS REASON MESSAGE".
func conditioned(generation int64, conditions ...string) *unstructured.Unstructured {
	object := kinds.Object(kinds.Retry)
	object.SetNamespace("shop")
	object.SetName("r")
	object.SetGeneration(2)
	var all []any
	for _, text := range conditions {
		fields := strings.SplitN(text, " ", 4)
		all = append(all, map[string]any{"type": fields[0], "status": fields[1], "reason": fields[2], "message": fields[3], "observedGeneration": generation})
	}
	object.Object["status"] = map[string]any{"conditions": all}
	return object
}

// settingOf returns an object as an UpstreamTrafficSetting, which has conditions only with a problem.
func settingOf(object *unstructured.Unstructured) *unstructured.Unstructured {
	object.SetGroupVersionKind(kinds.UpstreamTrafficSetting)
	return object
}

const (
	accepted = "Accepted True Accepted in force"
	resolved = "ResolvedRefs True ResolvedRefs in force"
)

// A policy is in force when its conditions are True and its sidecars have acknowledged it.
func TestWaitReadsConditions(t *testing.T) {
	all := acknowledgedBy(2)
	for name, test := range map[string]struct {
		object  *unstructured.Unstructured
		reports constantReport
		members []string
		// summary, warning, err or last is what the command prints.
		summary, warning, err, last string
	}{
		"accepted": {object: conditioned(2, accepted, resolved), reports: all, summary: "Retry shop/r is in force: 2 of 2 sidecars have acknowledged it"},
		"disabled": {
			object: conditioned(2, "Accepted False Disabled it is off"), reports: all,
			err: "Retry shop/r is not in force: Accepted is False (Disabled): it is off",
		},
		"broken reference": {
			object: conditioned(2, accepted, "ResolvedRefs False RefNotFound no such Service"), reports: all,
			err: "ResolvedRefs is False (RefNotFound): no such Service",
		},
		"not evaluated": {object: conditioned(1, accepted, resolved), reports: all, last: "has not written the conditions of its newest version"},
		"older problem": {object: conditioned(1, "Accepted False Disabled it is off"), reports: all, last: "has not written the conditions of its newest version"},
		"restricted":    {object: conditioned(2, "Accepted True NotFollowed in part"), reports: all, summary: "is in force", warning: "in part"},
		"without problems": {
			object: settingOf(conditioned(2)), reports: all, summary: "UpstreamTrafficSetting shop/r is in force: 2 of 2 sidecars have acknowledged it",
		},
		"problem of an earlier version": {
			object: settingOf(conditioned(1, "Accepted False Conflicted it is")), reports: all, last: "has not written the conditions of its newest version",
		},
		"setting with a problem": {
			object: settingOf(conditioned(2, "Accepted False Conflicted it is")), reports: all, err: "is not in force: Accepted is False (Conflicted): it is",
		},
		"no sidecar":         {object: conditioned(2, accepted), reports: acknowledgedBy(0), summary: "Retry shop/r is accepted, but affects no running pod"},
		"not acknowledged":   {object: conditioned(2, accepted), reports: constantReport{Generation: 2, Sidecars: 2, Acknowledged: 1}, last: "1 of 2 sidecars"},
		"rejected":           {object: conditioned(2, accepted), reports: constantReport{Generation: 2, Sidecars: 2, Rejected: 1}, err: "was rejected by 1 of 2 sidecars"},
		"outside the mesh":   {object: conditioned(2, accepted), reports: all, members: []string{"other"}, err: "namespace shop is not part of mesh osm"},
		"older in a replica": {object: conditioned(2, accepted), reports: constantReport{Generation: 1}, last: "have not observed its newest version: a"},
	} {
		t.Run(name, func(t *testing.T) {
			w := waitFor(test.object, test.reports)
			if test.members != nil {
				w.mesh.Members = test.members
			}
			done, err := pollUntilFinal(t, w)
			if got := errorText(err); !strings.Contains(got, test.err) || (err != nil) != (test.err != "") {
				t.Fatalf("error %q, want %q", got, test.err)
			}
			if done != (test.summary != "") || done && !strings.Contains(w.summary(), test.summary) {
				t.Errorf("done is %v with %q, want %q", done, w.summary(), test.summary)
			}
			if got := strings.Join(w.warnings, "; "); got != test.warning {
				t.Errorf("warning %q, want %q", got, test.warning)
			}
			if !strings.Contains(w.last, test.last) {
				t.Errorf("it waits for %q, want %q", w.last, test.last)
			}
		})
	}
}

// A condition that becomes True soon after another policy was applied is no failure.
func TestConditionThatRecoversIsNoFailure(t *testing.T) {
	w := waitFor(conditioned(2, "Accepted True Accepted in force", "ResolvedRefs False RefNotFound no such group"), acknowledgedBy(1))
	for range failedPolls - 1 {
		if done, err := w.poll(t.Context()); done || err != nil {
			t.Fatalf("done is %v, error %v", done, err)
		}
	}
	w.reader = fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(conditioned(2, accepted, resolved)).Build()
	if done, err := w.poll(t.Context()); !done || err != nil {
		t.Fatalf("done is %v, error %v", done, err)
	}
}

func TestWaitForMissingPolicy(t *testing.T) {
	w := waitFor(conditioned(2), acknowledgedBy(1))
	w.name = "other"
	if _, err := w.poll(t.Context()); err == nil || err.Error() != "Retry shop/other not found: specify its namespace with -n" {
		t.Errorf("error %v", err)
	}
}

func waitFor(object *unstructured.Unstructured, reports objectReports) *policyWait {
	return &policyWait{
		policyRef: policyRef{object.GetKind(), "shop", "r"}, mesh: mesh{Name: "osm", Members: []string{"shop"}}, reports: reports,
		reader: fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(object).Build(),
	}
}

// pollUntilFinal polls until the result is final, at most as often as a failed condition needs.
func pollUntilFinal(t *testing.T, w *policyWait) (done bool, err error) {
	t.Helper()
	for range failedPolls {
		if done, err = w.poll(t.Context()); done || err != nil {
			break
		}
	}
	return done, err
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
