package largemesh

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/osm-operator/internal/cli/analyze"
	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/plan"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Limit is the maximum duration of an answer, without reading the objects from an API server.
const Limit = time.Second

// Question is a question to the command line.
type Question struct {
	Name string
	// Answer computes the answer from the objects of the mesh.
	Answer func(context.Context) error
}

// Questions returns the measured questions for a mesh with the given number of services, at least 40.
func Questions(services int) ([]Question, error) {
	scheme, err := kube.Scheme()
	if err != nil {
		return nil, err
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
	return []Question{
		{"load the mesh", func(context.Context) error { _, err := m.load(); return err }},
		{"explain an allowed request", m.explain(fmt.Sprintf("%s/sa/%s to %s/svc/%s GET /items/1", caller["namespace"], caller["name"],
			namespaceOf(called), nameOf(called)), true)},
		{"explain a denied request, with remedy", m.explain(fmt.Sprintf("%s/sa/%s to %s/svc/%s GET /items/1", namespaceOf(denied), nameOf(denied), namespaceOf(called), nameOf(called)), false)},
		{"plan 20 objects and 10 deletions", m.plan(few)},
		{"plan all policies, of which 20 differ", m.plan(repository)},
		{"analyze", m.analyze},
	}, nil
}

type mesh struct {
	scheme  *k8sruntime.Scheme
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
		answer, err := explain.Ask(ctx, explain.Mesh{
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

// repetitions is the number of measurements per question. The median is reported.
const repetitions = 3

// Table measures all questions and writes a table with wall clock time and CPU time.
func Table(ctx context.Context, out io.Writer) error {
	questions, err := Questions(Services)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nQuestions about %d services and %d policies, each within %s\n", Services, Services*(TargetsEach+1), Limit)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "question\ttime\tCPU\t")
	for _, q := range questions {
		wall, cpu, err := medians(ctx, q)
		if err != nil {
			return fmt.Errorf("%s: %w", q.Name, err)
		}
		verdict := "met"
		if wall > Limit {
			verdict = "missed"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", q.Name, wall.Round(time.Millisecond), cpu.Round(time.Millisecond), verdict)
	}
	return w.Flush()
}

// medians returns the median times of a question.
func medians(ctx context.Context, q Question) (wall, cpu time.Duration, err error) {
	var walls, cpus []time.Duration
	for range repetitions {
		runtime.GC() // do not measure garbage of the earlier question
		began, used := time.Now(), processorTime()
		if err := q.Answer(ctx); err != nil {
			return 0, 0, err
		}
		walls, cpus = append(walls, time.Since(began)), append(cpus, processorTime()-used)
	}
	slices.Sort(walls)
	slices.Sort(cpus)
	return walls[repetitions/2], cpus[repetitions/2], nil
}

// processorTime returns the CPU time of this process.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// Size of the mesh for which Limit applies.
const (
	Services = 1_000
	// TargetsEach is the number of TrafficTargets per service. With the HTTPRouteGroup, each service has ten policies.
	TargetsEach  = 9
	perNamespace = 50
)

func object(apiVersion, kind, namespace, name string, fields map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	maps.Copy(u.Object, fields)
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}

func address(network byte, n int) string {
	return netip.AddrFrom4([4]byte{network, byte(n >> 16), byte(n >> 8), byte(n)}).String()
}

func namespaceOf(i int) string { return fmt.Sprintf("team-%d", i/perNamespace) }
func nameOf(i int) string      { return fmt.Sprintf("service-%d", i) }

// Objects returns a mesh with the given number of services, each with two pods and ten policies.
func Objects(services int) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for i := 0; i < services; i += perNamespace {
		ns := object("v1", "Namespace", "", namespaceOf(i), nil)
		ns.SetLabels(map[string]string{names.MonitoredByLabel: "osm"})
		ns.SetAnnotations(map[string]string{names.InjectionAnnotation: "enabled"})
		all = append(all, ns)
	}
	for i := range services {
		all = append(all, serviceObjects(i)...)
		all = append(all, object(kinds.HTTPRouteGroup.GroupVersion().String(), "HTTPRouteGroup", namespaceOf(i), nameOf(i), map[string]any{
			"spec": map[string]any{"matches": []any{
				map[string]any{"name": "read", "pathRegex": "/items/.*", "methods": []any{"GET"}},
				map[string]any{"name": "write", "pathRegex": "/items", "methods": []any{"POST"}},
			}},
		}))
		for n := range TargetsEach {
			all = append(all, Target(services, i, n, "read"))
		}
	}
	return all
}

func serviceObjects(i int) []*unstructured.Unstructured {
	ns, name := namespaceOf(i), nameOf(i)
	labels := map[string]any{"app": name}
	all := []*unstructured.Unstructured{
		object("v1", "ServiceAccount", ns, name, nil),
		object("v1", "Service", ns, name, map[string]any{"spec": map[string]any{
			"clusterIP": address(172, i+1), "selector": labels,
			"ports": []any{map[string]any{"name": "http", "port": int64(80), "targetPort": int64(8080)}},
		}}),
	}
	var endpoints []any
	for n := range 2 {
		pod := object("v1", "Pod", ns, fmt.Sprintf("%s-%d", name, n), map[string]any{
			"spec": map[string]any{
				"serviceAccountName": name, "containers": []any{map[string]any{"name": "app", "image": "app"}},
				"initContainers": []any{map[string]any{"name": names.SidecarContainer, "restartPolicy": "Always"}},
			},
			"status": map[string]any{"phase": "Running", "podIPs": []any{map[string]any{"ip": address(10, i*2+n+1)}}},
		})
		pod.SetLabels(map[string]string{"app": name})
		all = append(all, pod)
		endpoints = append(endpoints, map[string]any{
			"addresses": []any{address(10, i*2+n+1)}, "conditions": map[string]any{"ready": true},
			"targetRef": map[string]any{"kind": "Pod", "namespace": ns, "name": pod.GetName()},
		})
	}
	slice := object("discovery.k8s.io/v1", "EndpointSlice", ns, name, map[string]any{
		"addressType": "IPv4", "endpoints": endpoints, "ports": []any{map[string]any{"name": "http", "port": int64(8080)}},
	})
	slice.SetLabels(map[string]string{"kubernetes.io/service-name": name})
	return append(all, slice)
}

// Target returns the n-th TrafficTarget for service i. match is "read" or "write".
func Target(services, i, n int, match string) *unstructured.Unstructured {
	source := (i + 1 + n*7) % services
	return object(kinds.TrafficTarget.GroupVersion().String(), "TrafficTarget", namespaceOf(i), fmt.Sprintf("%s-%d", nameOf(i), n), map[string]any{
		"spec": map[string]any{
			"destination": map[string]any{"kind": "ServiceAccount", "name": nameOf(i), "namespace": namespaceOf(i)},
			"sources":     []any{map[string]any{"kind": "ServiceAccount", "name": nameOf(source), "namespace": namespaceOf(source)}},
			"rules":       []any{map[string]any{"kind": "HTTPRouteGroup", "name": nameOf(i), "matches": []any{match}}},
		},
	})
}
