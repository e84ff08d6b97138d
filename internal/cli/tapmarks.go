package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// tapPeriod is how long a sidecar logs every request if the command cannot take that back. It is half of what the control plane accepts, so its clock may
	// differ by as much in both directions.
	tapPeriod = names.MaxTap / 2
	// tapRenewal is how often the command asks for another period.
	tapRenewal = 30 * time.Second
	// tapCleanup bounds the time for taking the marks back.
	tapCleanup = 5 * time.Second
)

// tapMarks are the annotations by which the sidecars of some pods log every request.
type tapMarks struct {
	pods   kubernetes.Interface
	tapped []tap.Pod
	now    func() time.Time
	// values are the annotations that this command wrote last.
	values map[tap.Pod]string
}

// renew makes the sidecars log every request for another period. It returns the first failure, and how many pods failed.
func (m *tapMarks) renew(ctx context.Context) (failed int, first error) {
	value := m.now().Add(tapPeriod).UTC().Format(time.RFC3339)
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, names.TapUntilAnnotation, value)
	for _, pod := range m.tapped {
		_, err := m.pods.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		if err == nil {
			m.values[pod] = value
			continue
		}
		if failed++; first == nil {
			first = err
		}
	}
	return failed, first
}

// keep renews the marks until the context ends, and then takes them back.
func (m *tapMarks) keep(ctx context.Context) {
	ticker := time.NewTicker(tapRenewal)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_, _ = m.renew(ctx) // the next attempt comes before the period ends
		case <-ctx.Done():
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), tapCleanup)
			defer cancel()
			m.remove(ending)
			return
		}
	}
}

// remove takes the marks back, except where another command has renewed one since. What fails ends by itself.
func (m *tapMarks) remove(ctx context.Context) {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value string `json:"value,omitempty"`
	}
	path := "/metadata/annotations/" + strings.ReplaceAll(names.TapUntilAnnotation, "/", "~1") // a JSON pointer
	for pod, value := range m.values {
		patch, err := json.Marshal([]operation{{"test", path, value}, {"remove", path, ""}})
		if err == nil {
			_, _ = m.pods.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.JSONPatchType, patch, metav1.PatchOptions{})
		}
	}
}

// logAll makes the sidecars of pods log every request until the returned function is called, in a mesh that logs a share of them. A nil view says nothing
// about the mesh, which may log a share.
func (a *app) logAll(ctx context.Context, clients kubernetes.Interface, view *catalog.View, pods map[tap.Pod]*corev1.Pod) (end func()) {
	if view != nil && view.Settings().UnloggedRequests == 0 {
		return func() {}
	}
	marks := &tapMarks{pods: clients, tapped: keysOf(pods), now: a.now, values: map[tap.Pod]string{}}
	if failed, err := marks.renew(ctx); err != nil {
		a.note("[!] %s", partOfRequests(view, failed, len(pods), err))
	}
	kept, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		marks.keep(kept)
	}()
	return func() {
		cancel()
		<-done
	}
}

// partOfRequests explains which requests of pods are not in their logs.
func partOfRequests(view *catalog.View, failed, all int, err error) string {
	share := "The mesh may log a share of the requests only"
	if view != nil {
		settings := view.Settings()
		share = fmt.Sprintf("The mesh logs %v of the requests, and those that fail or take a second or more", tap.ShareOf(&settings))
	}
	return fmt.Sprintf("%s. Others of %d of %d pods are not shown, because the pods cannot be annotated with %s: %v", share, failed, all, names.TapUntilAnnotation, err)
}
