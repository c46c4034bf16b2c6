package desired

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// service is how callers inside the cluster reach the API. The admin port is on no
// Service: who may scrape it is the NetworkPolicy's business.
func (b *builder) service() *corev1.Service {
	protocol := "http"
	return &corev1.Service{
		TypeMeta:   typeMeta(corev1.SchemeGroupVersion, "Service"),
		ObjectMeta: b.meta(b.App.Name),
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeClusterIP,
			Selector: Selector(b.App.Name),
			Ports: []corev1.ServicePort{{
				Name: "api", Port: PortAPI, TargetPort: intstr.FromString("api"),
				Protocol: corev1.ProtocolTCP, AppProtocol: &protocol,
			}},
		},
	}
}
