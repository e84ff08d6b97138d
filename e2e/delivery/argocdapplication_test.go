package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// refreshAnnotation makes Argo CD compare an Application at once. Argo CD removes it after the comparison.
const refreshAnnotation = "argocd.argoproj.io/refresh"

// application is the part of an Application that the tests read.
type application struct {
	Metadata struct {
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Status struct {
		Sync struct {
			Status   string `json:"status"`
			Revision string `json:"revision"`
		} `json:"sync"`
		Health         healthStatus `json:"health"`
		OperationState struct {
			Phase      string `json:"phase"`
			Message    string `json:"message"`
			FinishedAt string `json:"finishedAt"`
			RetryCount int    `json:"retryCount"`
		} `json:"operationState"`
		Conditions []struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		} `json:"conditions"`
		Resources []struct {
			Kind   string       `json:"kind"`
			Name   string       `json:"name"`
			Status string       `json:"status"`
			Health healthStatus `json:"health"`
		} `json:"resources"`
	} `json:"status"`
}

type healthStatus struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// readApplication reads the Application of the sample.
func readApplication(ctx context.Context) (application, error) {
	var app application
	text, err := cluster.Kubectl(ctx, "--namespace", argoNamespace, "get", "application", "osm", "--output", "json")
	if err != nil {
		return app, err
	}
	return app, json.Unmarshal([]byte(text), &app)
}

// messageOf returns the message of the health of the first object of a kind.
func (a application) messageOf(kind string) string {
	for _, r := range a.Status.Resources {
		if r.Kind == kind {
			return r.Health.Message
		}
	}
	return ""
}

// statusOf returns the status of the first object of a kind.
func (a application) statusOf(kind string) string {
	for _, r := range a.Status.Resources {
		if r.Kind == kind {
			return r.Status
		}
	}
	return ""
}

// String describes what differs from Git or is not healthy.
func (a application) String() string {
	s := a.Status
	text := fmt.Sprintf("%s at %.7s, %s; operation %s: %s; conditions %v", s.Sync.Status, s.Sync.Revision, s.Health.Status, s.OperationState.Phase, s.OperationState.Message, s.Conditions)
	for _, r := range s.Resources {
		if r.Status != "Synced" || r.Health.Status != "" && r.Health.Status != "Healthy" {
			text += fmt.Sprintf("; %s %s %s %s %s", r.Kind, r.Name, r.Status, r.Health.Status, r.Health.Message)
		}
	}
	return text
}

// awaitApplication waits until Argo CD has compared a commit with the cluster and has this result. The message of the Mesh contains a text.
func awaitApplication(t *testing.T, revision, sync, health, text string) {
	t.Helper()
	refresh(t)
	what := fmt.Sprintf("the Application is %s and %s at %.7s", sync, health, revision)
	lab.Eventually(t, installLimit, what, func(ctx context.Context) (bool, string, error) {
		app, err := readApplication(ctx)
		s := app.Status
		done := s.Sync.Revision == revision && s.Sync.Status == sync && s.Health.Status == health && strings.Contains(app.messageOf("Mesh"), text) &&
			s.OperationState.Phase != "Running" && app.Metadata.Annotations[refreshAnnotation] == ""
		return done, app.String(), err
	})
}

// refresh makes Argo CD read Git and compare now.
func refresh(t *testing.T) {
	t.Helper()
	kubectl(t, "--namespace", argoNamespace, "annotate", "application", "osm", "--overwrite", refreshAnnotation+"=hard")
}

// requireQuiet requires that Argo CD does not repeat a sync, and that nobody changes the Mesh.
func requireQuiet(t *testing.T) {
	t.Helper()
	before, generation := lastSync(t), generationOf(t)
	for end := time.Now().Add(quietTime); time.Now().Before(end); time.Sleep(time.Second) {
		if now := lastSync(t); now != before {
			t.Fatalf("Argo CD has synced again: %s, before: %s", now, before)
		}
	}
	if now := generationOf(t); now != generation {
		t.Errorf("the Mesh has generation %d, want %d", now, generation)
	}
}

// lastSync identifies the last sync.
func lastSync(t *testing.T) string {
	t.Helper()
	app, err := readApplication(t.Context())
	lab.Must(t, err)
	operation := app.Status.OperationState
	return fmt.Sprintf("%s at %s, retry %d: %s", operation.Phase, operation.FinishedAt, operation.RetryCount, operation.Message)
}

func generationOf(t *testing.T) int64 {
	t.Helper()
	mesh := &v1alpha1.Mesh{}
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Name: names.DefaultMesh}, mesh))
	return mesh.Generation
}

// comparison is a way in which Argo CD applies and compares.
type comparison struct {
	name, compareOptions string
	syncOptions          []string
	// meshOnly leaves out install.yaml: Argo CD 2.14 cannot compare Deployments of Kubernetes 1.36 in this way.
	meshOnly bool
}

// comparisons returns all ways. The last one is that of the sample.
func comparisons() []comparison {
	return []comparison{
		{name: "client-side apply"},
		{name: "server-side apply", syncOptions: []string{"ServerSideApply=true"}, meshOnly: true},
		{name: "server-side apply and difference", compareOptions: "ServerSideDiff=true", syncOptions: []string{"ServerSideApply=true"}},
	}
}

// requireNoDrift lets Argo CD compare in another way, and requires that nothing differs.
func requireNoDrift(t *testing.T, revision string, mode comparison) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Application"})
	object.SetNamespace(argoNamespace)
	object.SetName("osm")
	automated, directory := any(map[string]any{"prune": true, "selfHeal": true}), any(nil)
	if mode.meshOnly {
		// A sync would prune what is left out.
		automated, directory = nil, map[string]any{"include": "mesh.yaml"}
	}
	lab.Must(t, cluster.Patch(t.Context(), object, jsonOf(t, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{"argocd.argoproj.io/compare-options": mode.compareOptions}},
		"spec": map[string]any{
			"source":     map[string]any{"directory": directory},
			"syncPolicy": map[string]any{"automated": automated, "syncOptions": mode.syncOptions},
		},
	})))
	if mode.meshOnly {
		awaitMeshSynced(t, revision)
		return
	}
	awaitApplication(t, revision, "Synced", "Healthy", "")
}

// awaitMeshSynced waits until Argo CD has compared the Mesh with a commit and found no difference.
func awaitMeshSynced(t *testing.T, revision string) {
	t.Helper()
	refresh(t)
	lab.Eventually(t, podLimit, "the Mesh is Synced", func(ctx context.Context) (bool, string, error) {
		app, err := readApplication(ctx)
		compared := app.Status.Sync.Revision == revision && app.Metadata.Annotations[refreshAnnotation] == "" && len(app.Status.Conditions) == 0
		return compared && app.statusOf("Mesh") == "Synced", app.String(), err
	})
}

func jsonOf(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	lab.Must(t, err)
	return string(text)
}

// kubectl runs kubectl, which must succeed.
func kubectl(t *testing.T, args ...string) {
	t.Helper()
	_, err := cluster.Kubectl(t.Context(), args...)
	lab.Must(t, err)
}
