package chart

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// generated reads the roles that controller-gen writes, by kind.
func generated(t *testing.T) map[string][]rbacv1.PolicyRule {
	t.Helper()
	raw, err := os.ReadFile("../../config/rbac/role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string][]rbacv1.PolicyRule{}
	for document := range bytes.SplitSeq(raw, []byte("---\n")) {
		role := rbacv1.ClusterRole{}
		if err := yaml.Unmarshal(document, &role); err != nil {
			t.Fatal(err)
		}
		if role.Kind != "" {
			rules[role.Kind] = role.Rules
		}
	}
	return rules
}

func TestRulesAreTheGeneratedOnes(t *testing.T) {
	all, want := render(t), generated(t)
	cluster := &rbacv1.ClusterRole{}
	all.into(t, "ClusterRole", release, cluster)
	if !reflect.DeepEqual(cluster.Rules, want["ClusterRole"]) {
		t.Errorf("the ClusterRole is not config/rbac's: run 'make generate'\n got %v\nwant %v", cluster.Rules, want["ClusterRole"])
	}
	role := &rbacv1.Role{}
	all.into(t, "Role", release, role)
	if !reflect.DeepEqual(role.Rules, want["Role"]) {
		t.Errorf("the Role is not config/rbac's: run 'make generate'\n got %v\nwant %v", role.Rules, want["Role"])
	}
	if len(role.Rules) == 0 || len(cluster.Rules) == 0 {
		t.Error("a role without rules")
	}
}

func TestBindings(t *testing.T) {
	all := render(t)
	want := []rbacv1.Subject{{Kind: "ServiceAccount", Name: release, Namespace: namespace}}
	cluster := &rbacv1.ClusterRoleBinding{}
	all.into(t, "ClusterRoleBinding", release, cluster)
	if cluster.RoleRef.Kind != "ClusterRole" || cluster.RoleRef.Name != release || !reflect.DeepEqual(cluster.Subjects, want) {
		t.Errorf("the ClusterRoleBinding binds %+v to %+v", cluster.RoleRef, cluster.Subjects)
	}
	binding := &rbacv1.RoleBinding{}
	all.into(t, "RoleBinding", release, binding)
	if binding.RoleRef.Kind != "Role" || binding.RoleRef.Name != release || binding.Namespace != namespace || !reflect.DeepEqual(binding.Subjects, want) {
		t.Errorf("the RoleBinding binds %+v to %+v in %s", binding.RoleRef, binding.Subjects, binding.Namespace)
	}
}

func TestNoRoleHasAWildcard(t *testing.T) {
	all := render(t)
	for _, object := range all {
		if object.GetKind() != "ClusterRole" && object.GetKind() != "Role" {
			continue
		}
		role := &rbacv1.ClusterRole{}
		all.into(t, object.GetKind(), object.GetName(), role)
		for _, rule := range role.Rules {
			for _, list := range [][]string{rule.APIGroups, rule.Resources, rule.Verbs, rule.NonResourceURLs} {
				if slices.Contains(list, "*") {
					t.Errorf("%s %s has a wildcard: %v", object.GetKind(), object.GetName(), rule)
				}
			}
		}
	}
}

func TestUserRolesAggregate(t *testing.T) {
	const prefix = "rbac.authorization.k8s.io/aggregate-to-"
	for role, to := range map[string][]string{"-nexusapps-edit": {"admin", "edit"}, "-nexusapps-view": {"view"}} {
		object := render(t).find("ClusterRole", release+role)
		if object == nil {
			t.Fatalf("no ClusterRole %s%s", release, role)
		}
		for _, name := range []string{"admin", "edit", "view"} {
			if got, want := object.GetLabels()[prefix+name] == "true", slices.Contains(to, name); got != want {
				t.Errorf("%s aggregates to %s: %v, want %v", role, name, got, want)
			}
		}
		alone := render(t, sets("rbac.aggregateToDefaultRoles=false")...).find("ClusterRole", release+role)
		if _, set := alone.GetLabels()[prefix+to[0]]; set {
			t.Errorf("%s aggregates although it should not", role)
		}
	}
}
