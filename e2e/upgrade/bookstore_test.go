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
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// bookbuyer buys bookbuyerRate books per second from two versions of the bookstore. It opts out of restarts, so its
	// sidecar and its counters stay.
	bookbuyer     = "bookbuyer"
	bookbuyerRate = 40
	// bookbuyerLoops is the maximum number of its requests in flight.
	bookbuyerLoops = 4
	// bookstoreSidecars is the number of sidecars of the bookbuyer, two bookstores, the bookwarehouse and its database.
	bookstoreSidecars = 5
)

// bookNamespaces are the namespaces of the bookstore, without the prefix that distinguishes them from the demo's.
var bookNamespaces = []string{"bookbuyer", "bookstore", "bookwarehouse"}

// namespaceReference matches references to these namespaces in the bookstore's manifests.
var namespaceReference = regexp.MustCompile(`(namespace: |kind: Namespace\nmetadata:\n  name: |_NAMESPACE\n +value: |mysql\.)(bookbuyer|bookstore|bookwarehouse)\b`)

// bookNamespace returns the shop's namespace for a namespace of the bookstore.
func (s shop) bookNamespace(name string) string { return s.mesh.name + "-" + name }

// deployBookstore deploys the bookstore of the demo, without the thief, into namespaces of the shop's mesh.
func (s shop) deployBookstore() {
	s.t.Helper()
	folder := cluster.Repository.Path("config", "samples", "bookstore")
	for _, part := range []string{"apps", "policies", "split"} {
		files, err := filepath.Glob(filepath.Join(folder, part, "*.yaml"))
		lab.Must(s.t, err)
		for _, file := range files {
			if strings.Contains(file, "thief") {
				continue
			}
			text, err := os.ReadFile(file)
			lab.Must(s.t, err)
			moved := namespaceReference.ReplaceAllString(string(text), "${1}"+s.mesh.name+"-${2}")
			objects, err := lab.Objects(strings.ReplaceAll(moved, names.MonitoredByLabel+": "+names.DefaultMesh, names.MonitoredByLabel+": "+s.mesh.name))
			lab.Must(s.t, err)
			for _, object := range objects {
				if object.GetKind() == "Deployment" {
					adjustDeployment(object)
				}
				lab.Must(s.t, cluster.Create(s.t.Context(), object))
			}
		}
	}
}

// adjustDeployment relaxes the probes of a Deployment. It makes the bookbuyer faster and opts it out of restarts.
func adjustDeployment(deployment *unstructured.Unstructured) {
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
		container["args"] = []any{"-timeout=" + requestTimeout}
	}
	_ = unstructured.SetNestedSlice(deployment.Object, containers, "spec", "template", "spec", "containers")
}

// buyerCounters returns the counters of the bookbuyer.
func (s shop) buyerCounters(ctx context.Context) (counters demo.Counters, err error) {
	return counters, lab.Until(ctx, 30*time.Second, "the bookbuyer reports its counters", func(ctx context.Context) (bool, string, error) {
		pod, err := cluster.Pod(ctx, s.bookNamespace(bookbuyer), lab.AppLabel, bookbuyer)
		if err != nil {
			return false, "", err
		}
		err = cluster.GetJSON(ctx, pod.Namespace, pod.Name, demo.Port, "/counters", &counters)
		return err == nil && counters.Outcomes["200"] > 0, "it has bought nothing", err
	})
}

// failedRequestLog returns the log lines of the bookbuyer's sidecar about failed requests since a time.
func (s shop) failedRequestLog(ctx context.Context, since time.Time) string {
	const maxLines = 20
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
	return fmt.Sprintf("the sidecar of the bookbuyer, %d lines:\n%s", len(lines), strings.Join(lines[:min(len(lines), maxLines)], ""))
}
