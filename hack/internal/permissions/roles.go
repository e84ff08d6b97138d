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
	// Namespaced is true for a permission of a Role.
	Namespaced bool
}

// String describes the permission like "list pods".
func (p Permission) String() string {
	return strings.TrimPrefix(Request{Verb: p.Verb, Group: p.Group, Resource: p.Resource, Name: p.Name, Path: p.Path}.String(), ": ")
}

// Allows reports whether the permission allows a request.
func (p Permission) Allows(r Request) bool {
	return p.Verb == r.Verb && p.Group == r.Group && p.Resource == r.Resource && p.Path == r.Path && (p.Name == "" || p.Name == r.Name) &&
		(!p.Namespaced || r.Namespace != "")
}

// covers reports whether an account with the permission can grant another one.
func (p Permission) covers(other Permission) bool {
	other.Namespaced = p.Namespaced
	if p.Name == "" {
		other.Name = ""
	}
	return p == other
}

// manifest is what is read of a role or a binding.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Rules    []struct {
		APIGroups, Resources, ResourceNames, Verbs, NonResourceURLs []string
	}
	RoleRef  struct{ Kind, Name string }
	Subjects []struct{ Kind, Name string }
}

// ReadAccounts returns the permissions that the roles and bindings in manifests give to service accounts, by the name of the account, and those of
// all roles.
func ReadAccounts(files ...string) (accounts map[string][]Permission, all []Permission, err error) {
	roles := map[string][]Permission{}
	var bindings []manifest
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		for _, document := range bytes.Split(content, []byte("\n---\n")) {
			var m manifest
			if err := yaml.Unmarshal(document, &m); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
			}
			switch m.Kind {
			case "Role", "ClusterRole":
				roles[m.Kind+"/"+m.Metadata.Name] = permissionsOf(m)
				all = append(all, permissionsOf(m)...)
			case "RoleBinding", "ClusterRoleBinding":
				bindings = append(bindings, m)
			}
		}
	}
	accounts = map[string][]Permission{}
	for _, b := range bindings {
		for _, subject := range b.Subjects {
			if subject.Kind == "ServiceAccount" {
				accounts[subject.Name] = append(accounts[subject.Name], roles[b.RoleRef.Kind+"/"+b.RoleRef.Name]...)
			}
		}
	}
	return accounts, all, nil
}

// permissionsOf returns the permissions of a role.
func permissionsOf(r manifest) []Permission {
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
						all = append(all, Permission{Verb: verb, Group: group, Resource: resource, Name: name, Namespaced: r.Kind == "Role"})
					}
				}
			}
		}
	}
	return all
}

// Unused returns the permissions that no request of an account needed, sorted. Those in granted are left out: an account can grant only what it
// has. So are those of a list.
func Unused(requests []Request, account string, held, granted []Permission, listed []Rare) []string {
	used := map[Permission]bool{}
	for _, r := range requests {
		if _, name, _ := strings.Cut(r.Account, "/"); name != account || r.Denied {
			continue
		}
		for _, p := range held {
			used[p] = used[p] || slices.ContainsFunc(needed(r), p.Allows)
		}
	}
	var unused []string
	for _, p := range held {
		isGranted := slices.ContainsFunc(granted, p.covers)
		isListed := slices.ContainsFunc(listed, func(r Rare) bool { return r.includes(account, p) })
		if !used[p] && !isGranted && !isListed {
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

// Operator is the service account of the operator, which grants permissions to the others.
const Operator = "osm-operator"

// Repository holds the permissions in the manifests of a checkout.
type Repository struct {
	// Held are the permissions by service account.
	Held map[string][]Permission
	// Granted are those in all roles that the operator applies, of all versions.
	Granted []Permission
	// Explained is the content of hack/permissions.yaml.
	Explained Explanations
}

// ReadRepository reads the manifests of a checkout.
func ReadRepository(root string) (r Repository, err error) {
	if r.Explained, err = ReadExplanations(filepath.Join(root, "hack", "permissions.yaml")); err != nil {
		return r, err
	}
	own, err := find(root, "config/rbac/*.yaml")
	if err != nil {
		return r, err
	}
	current, err := find(root, "internal/operator/operand/manifests/current/*.yaml", "internal/operator/component/*/testdata/*.yaml")
	if err != nil {
		return r, err
	}
	every, err := find(root, "internal/operator/operand/manifests/*/*.yaml", "internal/operator/component/*/testdata/*.yaml")
	if err != nil {
		return r, err
	}
	if r.Held, _, err = ReadAccounts(slices.Concat(own, current)...); err != nil {
		return r, err
	}
	for _, permissions := range r.Held {
		for i := range permissions {
			permissions[i].Name = renderedName(permissions[i].Name)
		}
	}
	_, r.Granted, err = ReadAccounts(every...)
	return r, err
}

// Unused returns the permissions of an account that no request needed, and that have no explanation.
func (r Repository) Unused(requests []Request, account string) []string {
	var granted []Permission
	if account == Operator {
		granted = r.Granted
	}
	return Unused(requests, account, r.Held[account], granted, r.Explained.Unused)
}

// find returns the files below root that match patterns.
func find(root string, patterns ...string) ([]string, error) {
	var files []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	return files, nil
}

// Names of the trust ConfigMap: that of the sample mesh, and what begins that of each mesh.
const (
	trustPrefix = "osm-trust-"
	sampleTrust = trustPrefix + "osm"
)

// renderedName returns the name of an object of the sample mesh. Manifests have a placeholder for the trust ConfigMap.
func renderedName(name string) string {
	if name == "osm-trust" {
		return sampleTrust
	}
	return name
}

// sampleName returns the name that an object of any mesh has in the sample mesh.
func sampleName(name string) string {
	if strings.HasPrefix(name, trustPrefix) {
		return sampleTrust
	}
	return name
}
