package largemesh

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/osm-operator/internal/cli/analyze"
	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/plan"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
)

// Every question has the answer that it should have.
func TestQuestions(t *testing.T) {
	for _, q := range questions(t, 100) {
		if err := q.answer(t.Context()); err != nil {
			t.Errorf("%s: %v", q.name, err)
		}
	}
}

func BenchmarkQuestions(b *testing.B) {
	for _, q := range questions(b, Services) {
		b.Run(q.name, func(b *testing.B) {
			used := processorTime()
			for b.Loop() {
				if err := q.answer(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			n := time.Duration(b.N)
			b.ReportMetric(float64((processorTime()-used)/n), "CPU-ns/op")
			if each := b.Elapsed() / n; each > limit {
				b.Logf("missed: %s is longer than %s", each, limit)
			}
		})
	}
}

// processorTime returns the CPU time of this process.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// limit is the maximum duration of an answer, without reading the objects from an API server.
const limit = time.Second

// question is a question to the command line.
type question struct {
	name string
	// answer computes the answer from the objects of the mesh.
	answer func(context.Context) error
}

// questions returns the measured questions for a mesh with the given number of services, at least 40.
func questions(t testing.TB, services int) []question {
	t.Helper()
	scheme, err := kube.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	m := &mesh{scheme: scheme, objects: Objects(services)}
	few := plan.Request{Namespace: "default"}
	for i := range 10 {
		few.Apply = append(few.Apply, Target(services, i*31%services, 2, "write"), Target(services, i*31%services, TargetsEach, "read"))
		few.Delete = append(few.Delete, Target(services, i*31%services, 0, "read"))
	}
	repository := plan.Request{Namespace: "default", Apply: slices.Clone(few.Apply)}
	for _, object := range m.objects {
		if object.GetKind() == "TrafficTarget" || object.GetKind() == "HTTPRouteGroup" {
			repository.Apply = append(repository.Apply, object.DeepCopy())
		}
	}
	slices.Reverse(repository.Apply) // later objects take precedence: the changed ones
	called, denied := services/2, services-1
	allowed := Target(services, called, 0, "read")
	source, _, _ := unstructured.NestedSlice(allowed.Object, "spec", "sources")
	caller := source[0].(map[string]any)
	return []question{
		{"load the mesh", func(context.Context) error { _, err := m.load(); return err }},
		{"explain an allowed request", m.explain(fmt.Sprintf("%s/sa/%s to %s/svc/%s GET /items/1", caller["namespace"], caller["name"],
			namespaceOf(called), nameOf(called)), true)},
		{"explain a denied request, with remedy", m.explain(fmt.Sprintf("%s/sa/%s to %s/svc/%s GET /items/1", namespaceOf(denied), nameOf(denied), namespaceOf(called), nameOf(called)), false)},
		{"plan 20 objects and 10 deletions", m.plan(few)},
		{"plan all policies, of which 20 differ", m.plan(repository)},
		{"analyze", m.analyze},
	}
}

type mesh struct {
	scheme  *runtime.Scheme
	objects []*unstructured.Unstructured
}

func (m *mesh) load() (*load.Loaded, error) { return load.FromObjects("osm", m.scheme, m.objects) }

func (m *mesh) explain(question string, allowed bool) func(context.Context) error {
	return func(ctx context.Context) error {
		loaded, err := m.load()
		if err != nil {
			return err
		}
		q, err := explain.ParseQuestion(strings.Fields(question), nil, "default")
		if err != nil {
			return err
		}
		answer, err := explain.Evaluate(ctx, explain.Mesh{
			Name: "osm", Catalog: loaded.Catalog,
			Exists: func(r entity.Ref) bool { _, taken := loaded.Names[r]; return taken },
		}, q)
		if err == nil && (answer.Allowed != allowed || !allowed && !answer.RemedySuffices) {
			return fmt.Errorf("%s has the wrong answer: %+v", question, answer)
		}
		return err
	}
}

func (m *mesh) plan(r plan.Request) func(context.Context) error {
	return func(context.Context) error {
		s := plan.Subject{Mesh: "osm", Namespace: "osm-system", TrustDomain: "cluster.local", Scheme: m.scheme, Objects: m.objects}
		e, err := s.Overlay(r)
		if err != nil {
			return err
		}
		p, err := plan.Make(s, e)
		if err == nil && (len(p.Flows) < 20 || len(p.Proxies) < 20) {
			return fmt.Errorf("the plan has %d flows and %d workloads only", len(p.Flows), len(p.Proxies))
		}
		return err
	}
}

func (m *mesh) analyze(context.Context) error {
	loaded, err := m.load()
	if err != nil {
		return err
	}
	report := analyze.Run(analyze.Mesh{Name: "osm", Namespace: "osm-system", Loaded: loaded, Objects: m.objects, Meshes: []string{"osm"}})
	if len(report.Findings) > 0 {
		return fmt.Errorf("%d findings, the first is %s", len(report.Findings), report.Findings[0])
	}
	return nil
}
