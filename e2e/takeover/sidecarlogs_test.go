package takeover

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// sidecarLogs are the access logs about failed requests of all sidecars, also of those that ended.
type sidecarLogs struct {
	clients kubernetes.Interface
	pending sync.WaitGroup

	mu    sync.Mutex
	known map[types.UID]bool
	// byID are descriptions of failed requests by their x-request-id.
	byID map[string][]string
	// byNamespace are the descriptions by the namespace of the sidecar, since they were taken.
	byNamespace map[string][]string
	// pods describe the pods by their addresses.
	pods map[string]string
}

// accessLog has the fields of a line that explain a failure. Both kinds of sidecars have them.
type accessLog struct {
	ResponseCode int    `json:"response_code"`
	Details      string `json:"response_code_details"`
	Flags        string `json:"response_flags"`
	Host         string `json:"upstream_host"`
	RequestID    string `json:"request_id"`
}

// followSidecarLogs reads the logs of all sidecars in the namespaces of the applications until the test ends.
func followSidecarLogs(t *testing.T) *sidecarLogs {
	t.Helper()
	clients, err := kubernetes.NewForConfig(cluster.Config)
	lab.Must(t, err)
	l := &sidecarLogs{clients: clients, known: map[types.UID]bool{}, byID: map[string][]string{}, byNamespace: map[string][]string{}, pods: map[string]string{}}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	l.pending.Go(func() {
		every(ctx, time.Second, func() {
			for _, namespace := range members() {
				l.followNamespace(ctx, namespace)
			}
		})
	})
	t.Cleanup(func() {
		end()
		l.pending.Wait()
	})
	return l
}

// followNamespace begins to read the logs of new sidecars.
func (l *sidecarLogs) followNamespace(ctx context.Context, namespace string) {
	var pods corev1.PodList
	if err := cluster.Client.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
		return
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		l.describe(pod)
		if l.known[pod.UID] || lab.ContainerStatus(*pod, names.SidecarContainer).State.Running == nil {
			continue
		}
		l.known[pod.UID] = true
		l.pending.Go(func() { l.read(ctx, pod) })
	}
}

// describe describes a pod for failed requests to its address.
func (l *sidecarLogs) describe(pod *corev1.Pod) {
	text := pod.Name + " with a sidecar of the Mesh"
	if hasSidecarOfOSM(pod) {
		text = pod.Name + " with a sidecar of OSM"
	}
	if pod.DeletionTimestamp != nil {
		text += ", which ends since " + deletionOf(pod).UTC().Format(time.TimeOnly)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pods[pod.Status.PodIP] = text
}

// deletionOf returns when the deletion of a pod began.
func deletionOf(pod *corev1.Pod) time.Time {
	return pod.DeletionTimestamp.Add(-time.Duration(ptr.Deref(pod.DeletionGracePeriodSeconds, 0)) * time.Second)
}

// read reads the log of a sidecar until its end.
func (l *sidecarLogs) read(ctx context.Context, pod *corev1.Pod) {
	stream, err := l.clients.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: names.SidecarContainer, Follow: true}).Stream(ctx)
	if err != nil {
		return
	}
	defer stream.Close()
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line accessLog
		if !strings.HasPrefix(lines.Text(), "{") || json.Unmarshal(lines.Bytes(), &line) != nil || line.ResponseCode == 200 {
			continue
		}
		address, _, _ := strings.Cut(line.Host, ":")
		l.mu.Lock()
		text := fmt.Sprintf("\n    sidecar of %s: %d %s %s, to %s (%s)", pod.Name, line.ResponseCode, line.Flags, line.Details, line.Host, l.pods[address])
		l.byID[line.RequestID] = append(l.byID[line.RequestID], text)
		l.byNamespace[pod.Namespace] = append(l.byNamespace[pod.Namespace], text)
		l.mu.Unlock()
	}
}

// about returns what sidecars have logged about a failed request.
func (l *sidecarLogs) about(id string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(slices.Clone(l.byID[id]), "")
}

// take returns the first descriptions of failed requests by the sidecars of a namespace since the last call.
func (l *sidecarLogs) take(namespace string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.byNamespace[namespace]
	l.byNamespace[namespace] = nil
	return strings.Join(all[:min(len(all), maxExplained)], "")
}
