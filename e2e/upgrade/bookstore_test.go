package upgrade

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/demo"
	"github.com/openservicemesh/osm-operator/internal/names"
)

const (
	// bookbuyer buys books from two versions of the bookstore, bookbuyerRate times a second. Its sidecar stays as well, and with it
	// what it has counted.
	bookbuyer     = "bookbuyer"
	bookbuyerRate = 40
	// bookbuyerLoops is how many requests it has under way at most.
	bookbuyerLoops = 4
	// bookstoreSidecars are those of the bookbuyer, two bookstores, the bookwarehouse and its database.
	bookstoreSidecars = 5
)

// bookNamespaces are those of the bookstore, without the prefix that keeps them apart from the demo's.
var bookNamespaces = []string{"bookbuyer", "bookstore", "bookwarehouse"}

// namespaceOf matches wherever the bookstore's manifests name one of its namespaces.
var namespaceOf = regexp.MustCompile(`(namespace: |kind: Namespace\nmetadata:\n  name: |_NAMESPACE\n +value: |mysql\.)(bookbuyer|bookstore|bookwarehouse)\b`)

// bookNamespace is the shop's own namespace of a name.
func (s shop) bookNamespace(name string) string { return s.mesh.name + "-" + name }

// openBookstore applies the bookstore of the demo, but for the thief, to namespaces of the shop's mesh.
func (s shop) openBookstore() {
	s.t.Helper()
	folder := cluster.Repository.Path("config", "samples", "bookstore")
	for _, part := range []string{"apps", "policies", "split"} {
		files, err := filepath.Glob(filepath.Join(folder, part, "*.yaml"))
		must(s.t, err)
		for _, file := range files {
			if strings.Contains(file, "thief") {
				continue
			}
			text, err := os.ReadFile(file)
			must(s.t, err)
			moved := namespaceOf.ReplaceAllString(string(text), "${1}"+s.mesh.name+"-${2}")
			objects, err := lab.Objects(strings.ReplaceAll(moved, names.MonitoredByLabel+": "+names.DefaultMesh, names.MonitoredByLabel+": "+s.mesh.name))
			must(s.t, err)
			for _, object := range objects {
				if object.GetKind() == "Deployment" {
					adapt(object)
				}
				must(s.t, cluster.Create(s.t.Context(), object))
			}
		}
	}
}

// adapt makes a Deployment patient with its own probes, and the bookbuyer buy faster, and stay.
func adapt(deployment *unstructured.Unstructured) {
	containers, _, _ := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	container, _ := containers[0].(map[string]any)
	for _, probe := range []string{"readinessProbe", "livenessProbe"} {
		if settings, ok := container[probe].(map[string]any); ok {
			settings["timeoutSeconds"], settings["failureThreshold"] = int64(probeSeconds), int64(probeFailures)
		}
	}
	if deployment.GetName() == bookbuyer {
		deployment.SetLabels(map[string]string{names.RestartLabel: "disabled"})
		env, _ := container["env"].([]any)
		container["env"] = append(env,
			map[string]any{"name": "CI_SLEEP_BETWEEN_REQUESTS_SECONDS", "value": fmt.Sprint(float64(bookbuyerLoops) / bookbuyerRate)},
			map[string]any{"name": "CI_CLIENT_CONCURRENT_CONNECTIONS", "value": strconv.Itoa(bookbuyerLoops)})
		container["args"] = []any{"-timeout=" + answerLimit}
	}
	_ = unstructured.SetNestedSlice(deployment.Object, containers, "spec", "template", "spec", "containers")
}

// bought is what the bookbuyer has counted since it started.
func (s shop) bought(ctx context.Context) (counters demo.Counters, err error) {
	return counters, lab.Until(ctx, 30*time.Second, "the bookbuyer tells what it has bought", func(ctx context.Context) (bool, string, error) {
		pod, err := cluster.Pod(ctx, s.bookNamespace(bookbuyer), lab.AppLabel, bookbuyer)
		if err != nil {
			return false, "", err
		}
		err = cluster.GetJSON(ctx, pod.Namespace, pod.Name, demo.Port, "/counters", &counters)
		return err == nil && counters.Outcomes["200"] > 0, "it has bought nothing", err
	})
}

// notBought is what the bookbuyer's sidecar says of the requests that were not answered with 200 since a moment.
func (s shop) notBought(ctx context.Context, since time.Time) string {
	const most = 20
	pod, err := cluster.Pod(ctx, s.bookNamespace(bookbuyer), lab.AppLabel, bookbuyer)
	if err != nil {
		return err.Error()
	}
	logs, err := cluster.LogsSince(ctx, pod.Namespace, pod.Name, names.SidecarContainer, since)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for line := range strings.Lines(logs) {
		if strings.Contains(line, `"response_code":`) && !strings.Contains(line, `"response_code":200`) {
			lines = append(lines, line)
		}
	}
	return fmt.Sprintf("the sidecar of the bookbuyer, %d lines:\n%s", len(lines), strings.Join(lines[:min(len(lines), most)], ""))
}
