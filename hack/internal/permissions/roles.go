package permissions

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Permission allows one verb for one resource, or for one path.
type Permission struct {
	Verb, Group, Resource string
	// Name is the only name; empty for all.
	Name string
	Path string
}

// String describes the permission like "list pods".
func (p Permission) String() string {
	return strings.TrimPrefix(Request{Verb: p.Verb, Group: p.Group, Resource: p.Resource, Name: p.Name, Path: p.Path}.String(), ": ")
}

// Allows reports whether the permission allows a request.
func (p Permission) Allows(r Request) bool {
	return p.Verb == r.Verb && p.Group == r.Group && p.Resource == r.Resource && p.Path == r.Path && (p.Name == "" || p.Name == r.Name)
}

// role is what is read of a Role or a ClusterRole.
type role struct {
	Kind     string
	Metadata struct{ Name string }
	Rules    []struct {
		APIGroups, Resources, ResourceNames, Verbs, NonResourceURLs []string
	}
}

// ReadRoles returns the permissions of all Roles and ClusterRoles in manifests, by the name of the role.
func ReadRoles(files ...string) (map[string][]Permission, error) {
	all := map[string][]Permission{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, document := range bytes.Split(content, []byte("\n---\n")) {
			var r role
			if err := yaml.Unmarshal(document, &r); err != nil {
				return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
			}
			if r.Kind == "Role" || r.Kind == "ClusterRole" {
				all[r.Metadata.Name] = append(all[r.Metadata.Name], permissionsOf(r)...)
			}
		}
	}
	return all, nil
}

func permissionsOf(r role) []Permission {
	var all []Permission
	for _, rule := range r.Rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, verb := range rule.Verbs {
			for _, path := range rule.NonResourceURLs {
				all = append(all, Permission{Verb: verb, Path: path})
			}
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, name := range names {
						all = append(all, Permission{Verb: verb, Group: group, Resource: resource, Name: name})
					}
				}
			}
		}
	}
	return all
}

// Unused returns the permissions that no request of an account needed, sorted. Those in granted are left out: an account can grant only what it
// has.
func Unused(requests []Request, account string, held, granted []Permission) []string {
	used := map[Permission]bool{}
	for _, r := range requests {
		if _, name, _ := strings.Cut(r.Account, "/"); name != account || r.Refused {
			continue
		}
		for _, p := range held {
			used[p] = used[p] || slices.ContainsFunc(needed(r), p.Allows)
		}
	}
	var unused []string
	for _, p := range held {
		everyName := p
		everyName.Name = ""
		if !used[p] && !slices.Contains(granted, p) && !slices.Contains(granted, everyName) {
			unused = append(unused, p.String())
		}
	}
	slices.Sort(unused)
	return slices.Compact(unused)
}

// needed returns a request with those whose permissions it needs too. An apply that creates its object needs the permission to create. A client
// that watches lists if the API server does not stream the first objects of a watch.
func needed(r Request) []Request {
	all := []Request{r}
	switch {
	case r.Verb == "watch":
		r.Verb = "list"
		all = append(all, r)
	case r.Verb == "patch" && r.Created:
		// Kubernetes cannot limit the creation to a name.
		r.Verb, r.Name = "create", ""
		all = append(all, r)
	}
	return all
}
