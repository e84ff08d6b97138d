package approverpolicy

import (
	"context"
	_ "embed"
	"errors"

	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
)

//go:embed manifests.yaml
var manifests string

const (
	// policyOnly are the arguments of cert-manager's controller without its own approver, which approves everything.
	policyOnly = `["controller","--controllers=*,-certificaterequests-approver"]`
	// everything are its arguments with it.
	everything = `["controller"]`
)

// Install applies the definitions in a folder and the manifests, waits until approver-policy runs, and disables the approver of cert-manager.
func Install(ctx context.Context, k kubectl.Client, definitions string) error {
	if err := k.Install(ctx, definitions, manifests); err != nil {
		return err
	}
	if err := k.Await(ctx, "cert-manager", "approver-policy"); err != nil {
		return err
	}
	return setArguments(ctx, k, policyOnly)
}

// Remove enables the approver of cert-manager, and deletes approver-policy with its kinds and their objects.
func Remove(ctx context.Context, k kubectl.Client, definitions string) error {
	err := setArguments(ctx, k, everything)
	_, manifestsErr := k.Run(ctx, manifests, "delete", "--ignore-not-found", "-f", "-")
	_, definitionsErr := k.Run(ctx, "", "delete", "--ignore-not-found", "-f", definitions)
	return errors.Join(err, manifestsErr, definitionsErr)
}

// setArguments sets the arguments of cert-manager's controller.
func setArguments(ctx context.Context, k kubectl.Client, args string) error {
	patch := `[{"op":"replace","path":"/spec/template/spec/containers/0/args","value":` + args + `}]`
	if _, err := k.Run(ctx, "", "--namespace", "cert-manager", "patch", "deployment", "cert-manager", "--type=json", "--patch", patch); err != nil {
		return err
	}
	return k.Await(ctx, "cert-manager", "cert-manager")
}
