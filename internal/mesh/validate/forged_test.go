package validate

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
)

// TestForgedReviewsAreCheap sends reviews of groups that no schema would accept. Any pod can send them.
func TestForgedReviewsAreCheap(t *testing.T) {
	for _, test := range []struct {
		matches int
		want    string
	}{
		{1024, "There are 1004 more problems."},
		{1025, "spec.matches has 1025 matches: use at most 1024"},
		{40_000, "spec.matches has 40000 matches: use at most 1024"},
	} {
		answer := postGroup(t, test.matches)
		if !strings.Contains(answer, `"allowed":false`) || !strings.Contains(answer, test.want) || len(answer) > 16<<10 {
			t.Errorf("the response to %d matches has %d bytes, want %q in at most 16 KiB:\n%.400s", test.matches, len(answer), test.want, answer)
		}
	}
}

// postGroup sends the review of an HTTPRouteGroup whose expressions are all too large.
func postGroup(t *testing.T, matches int) string {
	t.Helper()
	handler, err := NewHTTPHandler(logr.Discard(), Admission{}, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	list := make([]string, matches)
	for i := range list {
		list[i] = fmt.Sprintf(`{"name":"m%d","pathRegex":"(a{1,30}){1,30}","methods":["GET"]}`, i)
	}
	body := `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE","namespace":"shop",` +
		`"object":{"apiVersion":"specs.smi-spec.io/v1alpha4","kind":"HTTPRouteGroup","metadata":{"name":"all","namespace":"shop"},` +
		`"spec":{"matches":[` + strings.Join(list, ",") + `]}}}}`
	request := httptest.NewRequest(http.MethodPost, "/validate", strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Body.String()
}

// TestForgedMeshPeersAreCheap sends reviews of MeshPeers that no schema would accept. None of their roots is parsed.
func TestForgedMeshPeersAreCheap(t *testing.T) {
	for name, spec := range map[string]string{
		"roots":    `trust: {caBundle: "` + strings.Repeat("A", maxPeerRoots+1) + `"}`,
		"gateways": `gateways: [{address: a}` + strings.Repeat(", {address: a}", maxPeerGateways) + `]`,
	} {
		peer := parse(t, "apiVersion: operator.openservicemesh.io/v1alpha1\nkind: MeshPeer\nmetadata: {name: east}\nspec: {mesh: osm, "+spec+"}")
		rejections, _ := Split(Object(peer))
		compare(t, name, []string{"spec.trust.caBundle or spec.gateways of this MeshPeer is too long"}, rejections)
	}
}
