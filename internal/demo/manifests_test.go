package demo

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// samples is the directory of the demo's manifests.
const samples = "../../config/samples/bookstore"

// object holds the fields of a manifest that the tests read.
type object struct {
	Kind     string
	Metadata struct{ Name, Namespace string }
	Spec     struct {
		Matches any
		Rules   []struct {
			Kind, Name string
			Matches    []string
		}
		Destination struct{ Name, Namespace string }
		Sources     []struct{ Name, Namespace string }
		Service     string
		Backends    []struct{ Service string }
		Template    struct {
			Spec struct {
				ServiceAccountName string
				Containers         []struct{ Image string }
			}
		}
	}
}

// id is the object's kind, namespace and name.
func (o object) id() string { return o.Kind + " " + o.Metadata.Namespace + "/" + o.Metadata.Name }

// objects reads all manifests of the demo.
func objects(t *testing.T) map[string]object {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(samples, "*", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no manifests in %s (%v)", samples, err)
	}
	all := map[string]object{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range strings.Split(string(raw), "\n---\n") {
			var o object
			if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if _, twice := all[o.id()]; twice {
				t.Errorf("%s: %s is declared twice", file, o.id())
			}
			all[o.id()] = o
		}
	}
	return all
}

func TestManifests_UseImagesOfThisVersion(t *testing.T) {
	raw, err := os.ReadFile("../../VERSION")
	if err != nil {
		t.Fatal(err)
	}
	version := strings.TrimSpace(string(raw))
	seen := 0
	for id, o := range objects(t) {
		for _, c := range o.Spec.Template.Spec.Containers {
			seen++
			if !strings.HasPrefix(c.Image, "openservicemesh/") || !strings.HasSuffix(c.Image, ":"+version) {
				t.Errorf("%s runs %s, want an image openservicemesh/...:%s as in the file VERSION", id, c.Image, version)
			}
		}
	}
	if seen != 8 {
		t.Errorf("there are %d containers, want 8", seen)
	}
}

// TestPolicies_ReferencesExist detects renamed accounts, Services, routes and matches.
func TestPolicies_ReferencesExist(t *testing.T) {
	all := objects(t)
	need := func(by, id string) {
		if _, ok := all[id]; !ok {
			t.Errorf("%s refers to %s, which does not exist", by, id)
		}
	}
	for id, o := range all {
		ns := o.Metadata.Namespace
		switch o.Kind {
		case "Deployment", "StatefulSet":
			need(id, "ServiceAccount "+ns+"/"+o.Spec.Template.Spec.ServiceAccountName)
		case "TrafficTarget":
			need(id, "ServiceAccount "+o.Spec.Destination.Namespace+"/"+o.Spec.Destination.Name)
			if o.Spec.Destination.Namespace != ns {
				t.Errorf("%s is not in its destination's namespace", id)
			}
			for _, s := range o.Spec.Sources {
				need(id, "ServiceAccount "+s.Namespace+"/"+s.Name)
			}
			for _, r := range o.Spec.Rules {
				need(id, r.Kind+" "+ns+"/"+r.Name)
				for _, m := range r.Matches {
					if _, ok := matchesOf(all[r.Kind+" "+ns+"/"+r.Name])[m]; !ok {
						t.Errorf("%s selects the match %q, which %s does not have", id, m, r.Name)
					}
				}
			}
		case "TrafficSplit":
			need(id, "Service "+ns+"/"+o.Spec.Service)
			for _, b := range o.Spec.Backends {
				need(id, "Service "+ns+"/"+b.Service)
			}
		}
	}
}

// matchesOf returns the matches of an HTTPRouteGroup by name.
func matchesOf(o object) map[string]map[string]any {
	found := map[string]map[string]any{}
	list, _ := o.Spec.Matches.([]any)
	for _, m := range list {
		match, _ := m.(map[string]any)
		name, _ := match["name"].(string)
		found[name] = match
	}
	return found
}

func TestRoutes_MatchRequestsOfPrograms(t *testing.T) {
	all := objects(t)
	cases := []struct{ group, match, path, method string }{
		{"bookstore/bookstore-service-routes", "books-bought", PathBooksBought, "GET"},
		{"bookstore/bookstore-service-routes", "buy-a-book", PathBuyBook, "GET"},
		{"bookstore/bookstore-service-routes", "update-books-bought", PathUpdateBooksBought, "POST"},
		{"bookwarehouse/bookwarehouse-service-routes", "restock-books", PathRestock, "POST"},
	}
	sent := map[string]string{HeaderUserAgent: userAgent, HeaderClientApp: "bookbuyer"}
	for _, c := range cases {
		match := matchesOf(all["HTTPRouteGroup "+c.group])[c.match]
		path, _ := match["pathRegex"].(string)
		if !fullMatch(path, c.path) {
			t.Errorf("%s/%s: the path regex %q does not match %s", c.group, c.match, path, c.path)
		}
		if methods, _ := match["methods"].([]any); len(methods) != 1 || methods[0] != c.method {
			t.Errorf("%s/%s: the methods are %v, want %s", c.group, c.match, match["methods"], c.method)
		}
		headers, _ := match["headers"].([]any)
		for _, h := range headers {
			for name, value := range h.(map[string]any) {
				if !fullMatch(value.(string), sent[name]) {
					t.Errorf("%s/%s: header %s must match %q, the bookbuyer sends %q", c.group, c.match, name, value, sent[name])
				}
			}
		}
	}
}

// fullMatch matches the whole value, as Envoy does.
func fullMatch(regex, value string) bool {
	ok, err := regexp.MatchString("^(?:"+regex+")$", value)
	return err == nil && ok && regex != ""
}
