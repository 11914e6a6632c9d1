"""The stacked quaternion product (test_equal.py: in a layer, the expanded one)."""

import numpy as np
from hypothesis import given

from quatnet import quaternion
from quatnet.fast.stacked import Stacked, table
from quatnet.fast.threads import SERIAL
from tests.strategies import quaternions


@given(w=quaternions(), x=quaternions())
def test_the_sixteen_products_add_up_to_the_hamilton_product(w, x):
    y = table(quaternion.SIGN) @ np.outer(x, w).ravel()
    np.testing.assert_allclose(y, quaternion.hamilton(w, x), atol=1e-12 * (1 + np.abs(np.outer(x, w)).max()))


def test_combine_and_spread_are_adjoint():
    random = np.random.default_rng(0)
    p, dy = random.normal(size=(4 * 3, 4 * 5)), random.normal(size=(3, 4 * 5))
    stacked = Stacked(SERIAL)
    np.testing.assert_allclose(np.vdot(stacked.combine(p), dy), np.vdot(p, stacked.spread(dy)), rtol=1e-12)
