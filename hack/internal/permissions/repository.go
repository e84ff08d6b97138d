package permissions

import (
	"path/filepath"
	"slices"
)

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

// renderedName returns the name of an object of the sample mesh. Manifests have a placeholder for the trust ConfigMap.
func renderedName(name string) string {
	if name == "osm-trust" {
		return "osm-trust-osm"
	}
	return name
}
