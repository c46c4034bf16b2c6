package desired

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// service is how callers inside the cluster reach the API and MCP. The admin port is on no
// Service: who may scrape it is the NetworkPolicy's business.
func (b *builder) service() *corev1.Service {
	ports := []corev1.ServicePort{servicePort("api", PortAPI)}
	if b.spec.ServesMCP() {
		ports = append(ports, servicePort("mcp", PortMCP))
	}
	return &corev1.Service{
		TypeMeta:   typeMeta(corev1.SchemeGroupVersion, "Service"),
		ObjectMeta: b.meta(b.App.Name),
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeClusterIP,
			Selector: Selector(b.App.Name),
			Ports:    ports,
		},
	}
}

// servicePort leads to the container's port of the same name.
func servicePort(name string, port int32) corev1.ServicePort {
	protocol := "http"
	return corev1.ServicePort{
		Name: name, Port: port, TargetPort: intstr.FromString(name),
		Protocol: corev1.ProtocolTCP, AppProtocol: &protocol,
	}
}
