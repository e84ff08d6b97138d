package cli

import (
	"archive/tar"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/openservicemesh/osm-operator/internal/cli/kube"
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
	r := &bugReport{app: &app{kube: kube.NewFlags(io.Discard)}, logs: clients, logTimeout: 200 * time.Millisecond, tar: tar.NewWriter(io.Discard)}
	for pod, gap := range map[string]string{"silent": "log of container web of pod shop/silent", "partly": "rest of the log of container web of pod shop/partly"} {
		ended := make(chan error, 1)
		r.gaps = nil
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
