package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	log "github.com/hashicorp/go-hclog"
	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	"github.com/hashicorp/vault/builtin/logical/pki"
	"github.com/hashicorp/vault/helper/namespace"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

// tokenVariable is the variable with the token of the administrator.
const tokenVariable = "VAULT_TEST_TOKEN"

func main() {
	if err := run(os.Args[1:], os.Getenv(tokenVariable)); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		os.Exit(1)
	}
}

// run serves a new, unsealed Vault.
func run(args []string, token string) error {
	if len(args) != 1 || token == "" {
		return fmt.Errorf("the only argument must be the address to listen on, and %s the token of the administrator", tokenVariable)
	}
	core, err := newCore()
	if err != nil {
		return err
	}
	ctx := namespace.RootContext(context.Background())
	initialized, err := core.Initialize(ctx, &vault.InitParams{
		BarrierConfig: &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}, RecoveryConfig: &vault.SealConfig{},
	})
	if err != nil {
		return err
	}
	if _, err := core.Unseal(initialized.SecretShares[0]); err != nil {
		return err
	}
	if err := createToken(ctx, core, initialized.RootToken, token); err != nil {
		return err
	}
	server := &http.Server{
		Addr: args[0], ReadHeaderTimeout: 10 * time.Second, Handler: vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core}),
	}
	return server.ListenAndServe()
}

// newCore returns a Vault that stores everything in memory.
func newCore() (*vault.Core, error) {
	logger := log.New(&log.LoggerOptions{Level: log.Info})
	storage, err := inmem.NewInmem(nil, logger)
	if err != nil {
		return nil, err
	}
	return vault.NewCore(&vault.CoreConfig{
		Physical: storage, DisableMlock: true, Logger: logger, BuiltinRegistry: noPlugins{},
		LogicalBackends:    map[string]logical.Factory{"pki": pki.Factory},
		CredentialBackends: map[string]logical.Factory{"kubernetes": kubernetes.Factory},
	})
}

// createToken creates a token of the administrator with a given value.
func createToken(ctx context.Context, core *vault.Core, root, token string) error {
	answer, err := core.HandleRequest(ctx, &logical.Request{
		Operation: logical.UpdateOperation, Path: "auth/token/create", ClientToken: root,
		Data: map[string]any{"id": token, "policies": []string{"root"}, "no_parent": true},
	})
	if err != nil {
		return err
	}
	if answer == nil || answer.IsError() {
		return errors.New("the token of the administrator cannot be created")
	}
	return nil
}

// noPlugins is a registry without plugins.
type noPlugins struct{}

// Contains implements vault.BuiltinRegistry.
func (noPlugins) Contains(string, consts.PluginType) bool { return false }

// Get implements vault.BuiltinRegistry.
func (noPlugins) Get(string, consts.PluginType) (func() (interface{}, error), bool) {
	return nil, false
}

// Keys implements vault.BuiltinRegistry.
func (noPlugins) Keys(consts.PluginType) []string { return nil }

// DeprecationStatus implements vault.BuiltinRegistry.
func (noPlugins) DeprecationStatus(string, consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, true
}

// IsBuiltinEntPlugin implements vault.BuiltinRegistry.
func (noPlugins) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
