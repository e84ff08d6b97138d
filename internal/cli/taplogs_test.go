package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// slottedPod has two slots, whose containers have the given identifiers.
func slottedPod(name string, containers ...string) *corev1.Pod {
	pod := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	pod.Status.Phase = corev1.PodRunning
	for i, slot := range []string{names.SidecarContainer, names.StandbyContainer} {
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{Name: slot, RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)})
		if i < len(containers) {
			pod.Status.InitContainerStatuses = append(pod.Status.InitContainerStatuses, corev1.ContainerStatus{
				Name: slot, ContainerID: containers[i], State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
			})
		}
	}
	return pod
}

// TestBothSlotsAreTapped has a pod with two slots and one with a sidecar. Lines name the slot.
func TestBothSlotsAreTapped(t *testing.T) {
	pods := map[tap.Pod]*corev1.Pod{{Namespace: "shop", Name: "web-0"}: slottedPod("web-0"), {Namespace: "shop", Name: "db-0"}: {}}
	got := sidecarsOf(pods)
	web := tap.Pod{Namespace: "shop", Name: "web-0"}
	want := []tap.Sidecar{{Pod: tap.Pod{Namespace: "shop", Name: "db-0"}}, {Pod: web, Slot: names.SidecarContainer}, {Pod: web, Slot: names.StandbyContainer}}
	if diff := cmp.Diff(want, got); diff != "" || containerOf(got[0]) != names.SidecarContainer || podsInWords(pods) != "2 pods" {
		t.Errorf("the first container is %s of %s (-want +got):\n%s", containerOf(got[0]), podsInWords(pods), diff)
	}
	event := tap.Event{Namespace: "shop", Pod: "web-0", Slot: names.StandbyContainer, Method: "GET", Path: "/"}
	if text := lineOf(event); !strings.Contains(text, " shop/web-0 (envoy-standby) ") {
		t.Errorf("the line is %q", text)
	}
}

// replacedSlot is an API server with a pod whose second slot gets another container. The log of each container ends with its replacement.
type replacedSlot struct {
	mu        sync.Mutex
	container string
	// asked are the numbers of earlier lines that were requested.
	asked []string
}

func (r *replacedSlot) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if path.Base(request.URL.Path) == "log" {
		r.asked = append(r.asked, request.URL.Query().Get("container")+" "+request.URL.Query().Get("tailLines"))
		_, _ = fmt.Fprintf(w, "line of %s\n", r.container)
		if r.container == "second" {
			r.container = "gone"
		}
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if r.container == "gone" {
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound})
		return
	}
	_ = json.NewEncoder(w).Encode(slottedPod("web-0", "idle", r.container))
	r.container = "second"
}

// TestLogOfSlotGoesOn replaces the container of a slot while its log is read, as an upgrade does, and then deletes the pod.
func TestLogOfSlotGoesOn(t *testing.T) {
	state := &replacedSlot{container: "first"}
	server := httptest.NewServer(state)
	defer server.Close()
	clients, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	sidecar := tap.Sidecar{Pod: tap.Pod{Namespace: "shop", Name: "web-0"}, Slot: names.StandbyContainer}
	stream, err := openLog(t.Context(), clients, sidecar, ptr.To(int64(0)))
	if err != nil {
		t.Fatal(err)
	}
	log := followSlot(t.Context(), clients, sidecar, time.Millisecond, stream, "first")
	defer log.Close()
	done := make(chan []byte)
	go func() {
		text, _ := io.ReadAll(log)
		done <- text
	}()
	select {
	case text := <-done:
		if want := []byte("line of first\nline of second\n"); !bytes.Equal(text, want) {
			t.Errorf("the log is %q, want %q", text, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the log does not end with the pod")
	}
	if want := []string{"envoy-standby 0", "envoy-standby "}; !slices.Equal(state.asked, want) {
		t.Errorf("the requests are %q, want %q: of the new container, all lines", state.asked, want)
	}
}
