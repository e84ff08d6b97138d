package delivery

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/packaging/bundle"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// byOLM subscribes to a catalog.
type byOLM struct {
	released bundle.Release
	stop     func()
}

const subscribedNamespace = "operators"

func (o *byOLM) install(t *testing.T, files string) {
	t.Helper()
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "load-servers", "olm"))
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "olm", "up"))
	_, err := cluster.Kubectl(t.Context(), "create", "namespace", subscribedNamespace)
	lab.Must(t, err)
	o.released = bundle.Release{Files: readTree(t, filepath.Join(files, "bundle"))}
	o.stop = serveReleases(t, o.released)
	lab.Must(t, cluster.Put(t.Context(), subscription))
	awaitSucceeded(t, bundle.Package+"."+cluster.Earlier)
}

func (o *byOLM) upgrade(t *testing.T) {
	t.Helper()
	o.stop()
	o.stop = serveReleases(t, o.released, render(t, version(t), cluster.Earlier))
	awaitSucceeded(t, bundle.Package+"."+version(t))
}

func (o *byOLM) remove(ctx context.Context) error {
	return errors.Join(uninstall(ctx), cluster.Repository.Tool(ctx, os.Stderr, "./cluster", "olm", "down"), removeRemains(ctx, subscribedNamespace))
}

// readTree returns the files below a folder by their paths.
func readTree(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	tree := os.DirFS(folder)
	lab.Must(t, fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[name], err = fs.ReadFile(tree, name)
		return err
	}))
	return files
}

// byFlux commits install.yaml to a repository that Flux follows.
type byFlux struct {
	repository gitRepository
	sync       string
}

func (f *byFlux) install(t *testing.T, files string) {
	t.Helper()
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "load-servers", "flux"))
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "flux", "up"))
	f.repository = serveRepository(t)
	manifest, err := os.ReadFile(filepath.Join(files, "install.yaml"))
	lab.Must(t, err)
	revision := f.repository.push(t, map[string]string{
		"operator/install.yaml": string(manifest), "mesh/mesh.yaml": upgradedMesh(t, "config", "samples", "operator_v1alpha1_mesh.yaml"),
	})
	f.sync = strings.ReplaceAll(readFile(t, "config", "flux", "sync.yaml"), "https://git.example.com/platform/osm.git", f.repository.url)
	lab.Must(t, cluster.Put(t.Context(), f.sync))
	awaitSynced(t, "osm-operator", revision)
	awaitSynced(t, "osm-mesh", revision)
}

func (f *byFlux) upgrade(t *testing.T) {
	t.Helper()
	revision := f.repository.push(t, map[string]string{"operator/install.yaml": readFile(t, "dist", "install.yaml")})
	requestSync(t)
	awaitSynced(t, "osm-operator", revision)
	lab.Must(t, cluster.Available(t.Context(), installLimit, names.OperatorNamespace))
	// Flux deletes a Kustomization only after it has finished waiting for the Mesh, for up to half an hour if the Mesh is deleted meanwhile.
	awaitSynced(t, "osm-mesh", revision)
}

func (f *byFlux) remove(ctx context.Context) error {
	return errors.Join(cluster.Delete(ctx, f.sync), cluster.Repository.Tool(ctx, os.Stderr, "./cluster", "flux", "down"), removeOperator(ctx))
}

// byArgoCD commits install.yaml and the Mesh to a repository that Argo CD follows.
type byArgoCD struct{ repository gitRepository }

func (a *byArgoCD) install(t *testing.T, files string) {
	t.Helper()
	installArgoCD(t)
	a.repository = serveRepository(t)
	manifest, err := os.ReadFile(filepath.Join(files, "install.yaml"))
	lab.Must(t, err)
	revision := a.repository.push(t, map[string]string{"osm/install.yaml": string(manifest), "osm/mesh.yaml": upgradedMesh(t, "config", "argocd", "mesh.yaml")})
	lab.Must(t, cluster.Put(t.Context(), strings.ReplaceAll(readFile(t, "config", "argocd", "application.yaml"), "https://git.example.com/platform/osm.git", a.repository.url)))
	awaitApplication(t, revision, "Synced", "Healthy", "")
}

func (a *byArgoCD) upgrade(t *testing.T) {
	t.Helper()
	revision := a.repository.push(t, map[string]string{"osm/install.yaml": readFile(t, "dist", "install.yaml")})
	awaitApplication(t, revision, "Synced", "Healthy", "")
}

func (a *byArgoCD) remove(ctx context.Context) error { return removeOperator(ctx) }
