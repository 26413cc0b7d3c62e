//! Pillow images and torch tensors.
#![allow(unsafe_code)]

use crate::encode::fault::{Fault, Outcome};
use crate::encode::names::class_of;
use crate::encode::stream::Strided;
use crate::encode::tags;
use crate::encode::type_info::TypeInfo;
use crate::encode::walk::{Form, Walk};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::ffi::c_void;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Image,
    Tensor,
}

pub(super) fn find(name: &str) -> Option<&'static dyn Form> {
    Some(match name {
        "PIL.Image.Image" => &Kind::Image,
        "torch.Tensor" => &Kind::Tensor,
        _ => return None,
    })
}

/// `DLTensor`, the part of DLPack that says where the data are.
#[repr(C)]
struct DlTensor {
    data: *mut c_void,
    device_type: i32,
    device_id: i32,
    ndim: i32,
    code: u8,
    bits: u8,
    lanes: u16,
    shape: *mut i64,
    strides: *mut i64,
    byte_offset: u64,
}

/// DLPack's number for the processor's own memory.
const CPU: i32 = 1;

impl Form for Kind {
    fn write<'py>(
        &self,
        walk: &mut Walk<'_, '_, 'py>,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
    ) -> Outcome {
        walk.image(*self, value, info)
    }

    fn covers_derived(&self) -> bool {
        true
    }
}

impl<'py> Walk<'_, '_, 'py> {
    /// Writes an image or a tensor.
    fn image(&mut self, kind: Kind, value: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        match kind {
            Kind::Image => {
                self.enc.tag(tags::IMAGE);
                self.class_of_value(value, info)?;
                self.picture(value)
            }
            Kind::Tensor => self.tensor(value, info),
        }
    }

    /// Writes an image's mode, size, palette, further facts and pixels, of all its frames.
    fn picture(&mut self, image: &Bound<'py, PyAny>) -> Outcome {
        let failed = |error| Fault::raised(image.py(), class_of(image), "cannot be read", error);
        let frames: usize = match image.getattr_opt("n_frames").map_err(failed)? {
            Some(frames) => frames.extract().map_err(failed)?,
            None => 1,
        };
        if frames < 2 {
            return self.picture_frame(image);
        }
        let at = image.call_method0("tell").map_err(failed)?;
        self.inner(&at)?;
        let mut outcome = Ok(());
        for frame in 0..frames {
            outcome = image
                .call_method1("seek", (frame,))
                .map_err(failed)
                .and_then(|_| self.picture_frame(image));
            if outcome.is_err() {
                break;
            }
        }
        // The image is left as it was found, also when it could not be read.
        image.call_method1("seek", (at,)).map_err(failed)?;
        outcome?;
        self.enc.tag(tags::END);
        Ok(())
    }

    fn picture_frame(&mut self, image: &Bound<'py, PyAny>) -> Outcome {
        let failed = |error| Fault::raised(image.py(), class_of(image), "cannot be read", error);
        // The palette and the facts of a file are complete once its pixels were loaded.
        let pixels = image.call_method0("tobytes").map_err(failed)?;
        for name in ["mode", "size"] {
            self.inner(&image.getattr(name)?)?;
        }
        let mode: String = image.getattr("mode")?.extract()?;
        if mode.starts_with('P') {
            // The colours that the pixels have; the object beside them need not be there.
            let core = image.getattr("im")?;
            let mode = core.call_method0("getpalettemode").map_err(failed)?;
            let colours = core
                .call_method1("getpalette", (&mode, &mode))
                .map_err(failed)?;
            self.inner(&mode)?;
            self.inner(&colours)?;
        } else {
            self.enc.tag(tags::ABSENT);
        }
        let facts = image.getattr("info")?.cast_into::<PyDict>();
        self.own(facts.map_err(PyErr::from)?.as_ptr())
            .map_err(|fault| fault.at(class_of(image), "its info".to_owned()))?;
        self.inner(&pixels)
    }

    /// Writes a tensor's dtype, shape and items, read through DLPack where they are.
    fn tensor(&mut self, tensor: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        let failed = |error| Fault::raised(tensor.py(), class_of(tensor), "cannot be read", error);
        let device = tensor.getattr("device")?;
        let place: String = device.getattr("type")?.extract()?;
        if place == "meta" {
            return Err(Fault::no_key(
                class_of(tensor),
                "is on the device `meta`, without data",
            ));
        }
        let layout = tensor.getattr("layout")?.str()?;
        let dense = layout.to_string_lossy() == "torch.strided"
            && !tensor.getattr("is_quantized")?.is_truthy()?;
        if !dense {
            return self.reduce(tensor, info);
        }
        self.enc.tag(tags::TENSOR);
        self.class_of_value(tensor, info)?;
        for name in ["dtype", "device"] {
            self.inner(tensor.getattr(name)?.str()?.as_any())?;
        }
        self.inner(&tensor.getattr("requires_grad")?)?;
        let mut plain = tensor.call_method0("detach").map_err(failed)?;
        for name in ["resolve_conj", "resolve_neg"] {
            if plain.hasattr(name)? {
                plain = plain.call_method0(name).map_err(failed)?;
            }
        }
        if place != "cpu" {
            plain = plain.call_method0("cpu").map_err(|error| {
                let why = format!(
                    "is on the device `{place}` and could not be copied to the processor to be \
                     read; move it there with .cpu() before the call"
                );
                Fault::raised(tensor.py(), class_of(tensor), &why, error)
            })?;
        }
        let dtype = tensor.getattr("dtype")?.str()?;
        if dtype.to_string_lossy() == "torch.bool" {
            // Not every version hands out truth values as such.
            let byte = self.py.import("torch")?.getattr("uint8")?;
            plain = plain.call_method1("view", (byte,)).map_err(failed)?;
        }
        let capsule = plain.call_method0("__dlpack__").map_err(failed)?;
        // SAFETY: a capsule of this name holds a `DLTensor` at its beginning, and it is not taken
        // over: the capsule releases it when it goes.
        let (layout, count) = unsafe {
            let held = ffi::PyCapsule_GetPointer(capsule.as_ptr(), c"dltensor".as_ptr());
            if held.is_null() {
                return Err(failed(PyErr::fetch(self.py)));
            }
            let held = &*held.cast::<DlTensor>();
            if held.device_type != CPU {
                return Err(Fault::no_key(
                    class_of(tensor),
                    "is not in the processor's memory; move it there with .cpu() before the call",
                ));
            }
            (dl_layout(held), held.ndim)
        };
        debug_assert_eq!(layout.shape.len(), count as usize);
        self.shape(&layout.shape);
        // SAFETY: the capsule keeps the data where they are until it goes.
        unsafe { self.strided(&layout, layout.item) };
        drop(capsule);
        Ok(())
    }
}

/// The layout of a tensor that was handed out.
unsafe fn dl_layout(tensor: &DlTensor) -> Strided {
    let item = (usize::from(tensor.bits) * usize::from(tensor.lanes)).div_ceil(8);
    let dims = tensor.ndim as usize;
    // SAFETY: the shape has `ndim` items, and so have the strides unless they are left out, where
    // the items lie one after the other.
    unsafe {
        let shape: Vec<usize> = if dims == 0 {
            Vec::new()
        } else {
            std::slice::from_raw_parts(tensor.shape, dims)
                .iter()
                .map(|&len| len as usize)
                .collect()
        };
        let strides = if dims == 0 {
            Vec::new()
        } else if tensor.strides.is_null() {
            let mut strides = vec![item as isize; dims];
            for dim in (0..dims - 1).rev() {
                strides[dim] = strides[dim + 1] * shape[dim + 1] as isize;
            }
            strides
        } else {
            std::slice::from_raw_parts(tensor.strides, dims)
                .iter()
                .map(|&stride| stride as isize * item as isize)
                .collect()
        };
        Strided {
            data: tensor
                .data
                .cast::<u8>()
                .wrapping_add(tensor.byte_offset as usize),
            item,
            shape,
            strides,
        }
    }
}
