package cli

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestLogsThatDoNotEnd reads logs of pods whose kubelets answer nothing, or a part of the log. Reports are needed most when a node hangs.
func TestLogsThatDoNotEnd(t *testing.T) {
	released := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "partly") {
			_, _ = io.WriteString(w, "a line\n")
			_ = http.NewResponseController(w).Flush()
		}
		<-released
	}))
	defer hanging.Close()
	defer close(released)
	clients, err := kubernetes.NewForConfig(&rest.Config{Host: hanging.URL})
	if err != nil {
		t.Fatal(err)
	}
	r := &bugReport{app: &app{kube: kube.NewFlags(io.Discard)}, logs: clients, tar: tar.NewWriter(io.Discard)}
	for pod, gap := range map[string]string{"silent": "log of container web of pod shop/silent", "partly": "rest of the log of container web of pod shop/partly"} {
		ended := make(chan error, 1)
		r.gaps, r.logTimeout = nil, 200*time.Millisecond
		if pod == "partly" {
			r.logTimeout = 3 * time.Second // a busy machine needs time for the first line
		}
		go func() {
			ended <- r.log(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: pod}}, "web")
		}()
		select {
		case err := <-ended:
			if err != nil || len(r.gaps) != 1 || !strings.HasPrefix(r.gaps[0], gap) {
				t.Errorf("%s: error %v, gaps %q; want one gap, %q", pod, err, r.gaps, gap)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the report hangs", pod)
		}
	}
}

// TestReportHasBothSlots collects a pod whose second slot serves: in the first one an Envoy drains, is not there, or cannot be asked.
func TestReportHasBothSlots(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Query().Get("container"))
	}))
	defer server.Close()
	clients, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		err  error
		page bool
		gap  string
	}{
		"drains":        {nil, true, ""},
		"idle":          {kube.ErrIdle, false, ""},
		"no permission": {errors.New("you may not create pods/exec"), false, "Envoy in slot envoy of pod shop/web-0: you may not create pods/exec"},
	} {
		var content bytes.Buffer
		r := &bugReport{
			app: &app{kube: kube.NewFlags(io.Discard)}, logs: clients, logTimeout: time.Minute, tar: tar.NewWriter(&content), held: map[types.UID]bool{},
			slotAnswer: func(_ context.Context, _, pod, slot, method, path string) ([]byte, error) {
				return []byte(pod + slot + method + path), test.err
			},
		}
		pod := slottedPod("web-0")
		for _, container := range pod.Spec.InitContainers {
			if err := r.log(t.Context(), pod, container.Name); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(r.slot(t.Context(), pod, names.SidecarContainer), r.tar.Close()); err != nil {
			t.Fatal(err)
		}
		files := filesOf(t, &content)
		page := files["osm-bug-report/shop/envoy/web-0.envoy.config_dump.txt"]
		if (page == "web-0envoyGET/config_dump") != test.page || strings.Join(r.gaps, "") != test.gap {
			t.Errorf("%s: the page is %q, the gaps are %q", name, page, r.gaps)
		}
		for _, slot := range []string{names.SidecarContainer, names.StandbyContainer} {
			if got := files["osm-bug-report/shop/logs/web-0."+slot+".log"]; got != slot {
				t.Errorf("%s: the log of %s is %q", name, slot, got)
			}
		}
	}
	if slot := slotOf([]byte(`{"node": {"metadata": {"slot": "envoy-standby", "epoch": 2}}}`)); slot != names.StandbyContainer {
		t.Errorf("the slot is %q", slot)
	}
}

// filesOf reads an archive.
func filesOf(t *testing.T, content io.Reader) map[string]string {
	t.Helper()
	files := map[string]string{}
	for archive := tar.NewReader(content); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(text)
	}
}
