package revision

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// applyAll applies the Deployments after all other objects, because they contain the UIDs of the ServiceAccounts.
func applyAll(ctx context.Context, session *apply.Session, objects []*unstructured.Unstructured) error {
	var deployments, others []*unstructured.Unstructured
	for _, object := range objects {
		if object.GetKind() == "Deployment" {
			deployments = append(deployments, object)
		} else {
			others = append(others, object)
		}
	}
	failed := session.ApplyAll(ctx, others)
	if err := setAccounts(deployments, others); err != nil {
		return errors.Join(failed, err)
	}
	return errors.Join(failed, session.ApplyAll(ctx, deployments))
}

// setAccounts writes the UIDs of ServiceAccounts into the pod templates that have the annotation for it. When an account was deleted and created
// again, the changed template replaces the pods: their tokens name the deleted account, and the API server rejects them.
func setAccounts(deployments, others []*unstructured.Unstructured) error {
	accounts := map[string]types.UID{}
	for _, object := range others {
		if object.GetKind() == "ServiceAccount" {
			accounts[object.GetName()] = object.GetUID()
		}
	}
	for _, deployment := range deployments {
		path := []string{"spec", "template", "metadata", "annotations", names.AccountAnnotation}
		if _, desired, _ := unstructured.NestedString(deployment.Object, path...); !desired {
			continue
		}
		account, _, err := unstructured.NestedString(deployment.Object, "spec", "template", "spec", "serviceAccountName")
		if err != nil {
			return err
		}
		if err := unstructured.SetNestedField(deployment.Object, string(accounts[account]), path...); err != nil {
			return err
		}
	}
	return nil
}
